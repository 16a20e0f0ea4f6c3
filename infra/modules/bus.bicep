metadata description = 'The Service Bus namespace, its queues, and who may send to or receive from each.'

import { BusTier, Network, Queue, QueueGrant, OperatorGrant, ScaleGrant, roleName } from 'access.bicep'

@description('Ends every name.')
param suffix string

@description('Where the namespace lives.')
param location string

@description('Tags of everything.')
param tags { *: string }

@description('Tier of the namespace; private endpoints take Premium.')
param tier BusTier

@description('How the namespace is reached.')
param network Network

@description('Queues; one that forwards stands after the queues it forwards to.')
param queues Queue[]

@description('Grants on queues to identities.')
param queueGrants QueueGrant[]

@description('Grants on queues to principals outside.')
param operatorGrants OperatorGrant[]

@description('Queues whose length the scale controller sees under an identity.')
param scaleGrants ScaleGrant[]

// Built in: Azure Service Bus Data Sender and Data Receiver.
var roles = {
  send: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
  receive: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
}
var queueNames = map(queues, queue => queue.name)
var identityNames = union(map(queueGrants, grant => grant.identity), map(scaleGrants, grant => grant.identity))
var uses = flatten(map(
  queueGrants,
  grant => map(grant.rights, right => { identity: grant.identity, queue: grant.queue, right: right })
))
// One principal may be operator in several ways; the same right twice would be two of one name.
var operatorUses = union(
  [],
  flatten(map(
    operatorGrants,
    grant => map(grant.rights, right => { principalId: grant.principalId, queue: grant.queue, right: right })
  ))
)

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for identity in identityNames: {
    name: '${identity}-${suffix}'
  }
]

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' = {
  name: 'relay-${suffix}'
  location: location
  tags: tags
  sku: { name: tier, tier: tier, ...(tier == 'Premium' ? { capacity: 1 } : {}) }
  properties: {
    publicNetworkAccess: network == 'private' ? 'Disabled' : 'Enabled'
    // Shared keys would pass by every grant.
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

// One after the other, because the target of a forward must exist.
@batchSize(1)
resource namespaceQueues 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' = [
  for queue in queues: {
    parent: namespace
    name: queue.name
    properties: {
      lockDuration: queue.?lockDuration ?? 'PT1M'
      maxDeliveryCount: queue.?maxDeliveryCount ?? 10
      deadLetteringOnMessageExpiration: true
      requiresDuplicateDetection: queue.?duplicateDetection != null
      ...(queue.?duplicateDetection == null ? {} : { duplicateDetectionHistoryTimeWindow: queue.?duplicateDetection })
      ...(queue.?forwardTo == null ? {} : { forwardTo: queue.?forwardTo })
      ...(queue.?forwardDeadLettersTo == null ? {} : { forwardDeadLetteredMessagesTo: queue.?forwardDeadLettersTo })
    }
  }
]

resource queueAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for use in uses: {
    scope: namespaceQueues[indexOf(queueNames, use.queue)]
    name: guid(namespaceQueues[indexOf(queueNames, use.queue)].id, use.identity, use.right)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[use.right])
      principalId: identities[indexOf(identityNames, use.identity)].properties.principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource operatorAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for use in operatorUses: {
    scope: namespaceQueues[indexOf(queueNames, use.queue)]
    name: guid(namespaceQueues[indexOf(queueNames, use.queue)].id, use.principalId, use.right)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[use.right])
      // Without a principalType: Azure looks up whether it is a group, a user or a service principal.
      principalId: use.principalId
    }
  }
]

// Narrower than any built-in role: Data Owner, which the documentation offers as well, also sends,
// receives and manages. The controller reads the queue's length under the identity of the trigger.
resource scaleRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (!empty(scaleGrants)) {
  name: roleName(resourceGroup().id, 'queues', 'read')
  properties: {
    roleName: 'Relay see the length of a queue (${suffix})'
    description: 'Permits to read the properties and counts of a queue, never a message.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [{ actions: ['Microsoft.ServiceBus/namespaces/*/read'] }]
  }
}

resource scaleAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in scaleGrants: {
    scope: namespaceQueues[indexOf(queueNames, grant.queue)]
    name: guid(namespaceQueues[indexOf(queueNames, grant.queue)].id, grant.identity, 'read')
    properties: {
      roleDefinitionId: scaleRole.id
      principalId: identities[indexOf(identityNames, grant.identity)].properties.principalId
      principalType: 'ServicePrincipal'
    }
  }
]
