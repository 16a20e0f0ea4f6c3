metadata description = 'What the apps may do as themselves: what the Functions host needs, and nothing of ours.'

import { StorageGrant, TelemetryGrant } from 'access.bicep'

@description('Ends every name.')
param suffix string

@description('Apps whose host keeps its things, and the package, in a storage account.')
param storageGrants StorageGrant[]

@description('Apps whose host sends telemetry.')
param telemetryGrants TelemetryGrant[]

// Built in: Storage Blob Data Owner, the role that the host is documented to need, and Monitoring
// Metrics Publisher.
var blobOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var metricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource storingSites 'Microsoft.Web/sites@2025-03-01' existing = [
  for grant in storageGrants: {
    name: 'relay-${grant.app}-${suffix}'
  }
]

resource tellingSites 'Microsoft.Web/sites@2025-03-01' existing = [
  for grant in telemetryGrants: {
    name: 'relay-${grant.app}-${suffix}'
  }
]

resource accounts 'Microsoft.Storage/storageAccounts@2025-01-01' existing = [
  for grant in storageGrants: {
    name: '${grant.storage}${suffix}'
  }
]

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: 'relay-${suffix}'
}

resource storageAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (grant, i) in storageGrants: {
    scope: accounts[i]
    name: guid(accounts[i].id, grant.app, 'blobs')
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobOwner)
      principalId: storingSites[i].identity.principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource telemetryAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (grant, i) in telemetryGrants: {
    scope: component
    name: guid(component.id, grant.app, 'telemetry')
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisher)
      principalId: tellingSites[i].identity.principalId
      principalType: 'ServicePrincipal'
    }
  }
]
