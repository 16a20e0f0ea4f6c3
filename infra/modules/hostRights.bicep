metadata description = 'What the Functions hosts may do with their storage accounts and with telemetry.'

import { StorageGrant, TelemetryGrant } from 'access.bicep'

@description('Ends every name.')
param suffix string

@description('Apps whose host keeps its things in a storage account.')
param storageGrants StorageGrant[]

@description('Principal ids of these apps.')
param storagePrincipalIds string[]

@description('Apps whose host sends telemetry.')
param telemetryGrants TelemetryGrant[]

@description('Principal ids of these apps.')
param telemetryPrincipalIds string[]

// Built in: Storage Blob Data Owner, the role that the host is documented to need, and Monitoring
// Metrics Publisher.
var blobOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var metricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource accounts 'Microsoft.Storage/storageAccounts@2025-01-01' existing = [
  for grant in storageGrants: {
    name: '${grant.storage}${suffix}'
  }
]

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: 'relay-${suffix}'
}

// Named after the principal, because Azure never changes the principal of an assignment
// (RoleAssignmentUpdateNotPermitted): an app made anew has another one, and gets assignments of its own.
resource storageAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (grant, i) in storageGrants: {
    scope: accounts[i]
    name: guid(accounts[i].id, storagePrincipalIds[i], blobOwner)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobOwner)
      principalId: storagePrincipalIds[i]
      principalType: 'ServicePrincipal'
    }
  }
]

resource telemetryAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (grant, i) in telemetryGrants: {
    scope: component
    name: guid(component.id, telemetryPrincipalIds[i], metricsPublisher)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisher)
      principalId: telemetryPrincipalIds[i]
      principalType: 'ServicePrincipal'
    }
  }
]
