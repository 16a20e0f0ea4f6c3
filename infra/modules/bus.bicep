metadata description = 'The Service Bus namespace, its queues, and who may send to or receive from each.'

import { BusTier, Network, Queue, QueueGrant, QueueSizeMB, OperatorGrant, ScaleGrant } from 'access.bicep'

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

@description('Queues; one that forwards comes after the queues it forwards to.')
param queues Queue[]

@description('Size of each queue in MB, by its name.')
param queueSizesMB { *: QueueSizeMB }

@description('Grants on queues to identities.')
param queueGrants QueueGrant[]

@description('Grants on queues to principals outside.')
param operatorGrants OperatorGrant[]

@description('Queues whose length the scale controller sees under an identity.')
param scaleGrants ScaleGrant[]

var identityNames = union(map(queueGrants, grant => grant.identity), map(scaleGrants, grant => grant.identity))

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
      maxSizeInMegabytes: queueSizesMB[?queue.name] ?? 1024
      deadLetteringOnMessageExpiration: true
      requiresDuplicateDetection: queue.?duplicateDetection != null
      ...(queue.?duplicateDetection == null ? {} : { duplicateDetectionHistoryTimeWindow: queue.?duplicateDetection })
      ...(queue.?forwardTo == null ? {} : { forwardTo: queue.?forwardTo })
      ...(queue.?forwardDeadLettersTo == null ? {} : { forwardDeadLetteredMessagesTo: queue.?forwardDeadLettersTo })
    }
  }
]

// In a module of its own, where the principals are known from the start, so that they can be in names.
module rights 'busRights.bicep' = {
  params: {
    suffix: suffix
    queueGrants: queueGrants
    operatorGrants: operatorGrants
    scaleGrants: scaleGrants
    identityNames: identityNames
    #disable-next-line what-if-short-circuiting // What-If cannot name what is named after a principal that is yet to be made.
    principalIds: [for (identity, i) in identityNames: identities[i].properties.principalId]
  }
  dependsOn: [namespaceQueues]
}
