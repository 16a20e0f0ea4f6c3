metadata description = 'Who may send to or receive from each queue, and who may see how long queues are.'

import { QueueGrant, OperatorGrant, ScaleGrant, roleName } from 'access.bicep'

@description('Ends every name.')
param suffix string

@description('Grants on queues to identities.')
param queueGrants QueueGrant[]

@description('Grants on queues to principals outside.')
param operatorGrants OperatorGrant[]

@description('Queues that the scale controller scales by, and the identities that it looks under.')
param scaleGrants ScaleGrant[]

@description('Names of the identities in access.json.')
param identityNames string[]

@description('Their principal ids.')
param principalIds string[]

// Built in: Azure Service Bus Data Sender and Data Receiver.
var roles = {
  send: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
  receive: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
}
var uses = flatten(map(
  queueGrants,
  grant => map(grant.rights, right => { identity: grant.identity, queue: grant.queue, right: right })
))
// One principal may be several operators; the same right twice would be two resources of one name.
var operatorUses = union(
  [],
  flatten(map(
    operatorGrants,
    grant => map(grant.rights, right => { principalId: grant.principalId, queue: grant.queue, right: right })
  ))
)
var seeing = union([], map(scaleGrants, grant => grant.identity))

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: 'relay-${suffix}'
}

resource queues 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' existing = [
  for use in uses: {
    parent: namespace
    name: use.queue
  }
]

resource operatorQueues 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' existing = [
  for use in operatorUses: {
    parent: namespace
    name: use.queue
  }
]

// Named after the principal, because Azure never changes the principal of an assignment
// (RoleAssignmentUpdateNotPermitted): an identity made anew gets assignments of its own.
resource queueAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (use, i) in uses: {
    scope: queues[i]
    name: guid(queues[i].id, principalIds[indexOf(identityNames, use.identity)], roles[use.right])
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[use.right])
      principalId: principalIds[indexOf(identityNames, use.identity)]
      principalType: 'ServicePrincipal'
    }
  }
]

resource operatorAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (use, i) in operatorUses: {
    scope: operatorQueues[i]
    name: guid(operatorQueues[i].id, use.principalId, roles[use.right])
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[use.right])
      // Without a principalType: Azure looks up whether it is a group, a user or a service principal.
      principalId: use.principalId
    }
  }
]

// At the namespace: at its queue, the receiver's built-in role reads the queue already, and yet the
// length has been seen only with this right at the namespace (Particular/ServiceControl 3406). It shows
// names, properties and counts of the other queues, never a message.
resource scaleAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for identity in seeing: {
    scope: namespace
    name: guid(
      namespace.id,
      principalIds[indexOf(identityNames, identity)],
      roleName(resourceGroup().id, 'queues', 'read')
    )
    properties: {
      roleDefinitionId: resourceId(
        'Microsoft.Authorization/roleDefinitions',
        roleName(resourceGroup().id, 'queues', 'read')
      )
      principalId: principalIds[indexOf(identityNames, identity)]
      principalType: 'ServicePrincipal'
    }
  }
]
