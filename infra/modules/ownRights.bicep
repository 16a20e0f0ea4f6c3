metadata description = 'What the apps may do as themselves: what the Functions host needs, and nothing else.'

import { StorageGrant, TelemetryGrant } from 'access.bicep'

@description('Ends every name.')
param suffix string

@description('Apps whose host keeps its things in a storage account.')
param storageGrants StorageGrant[]

@description('Apps whose host sends telemetry.')
param telemetryGrants TelemetryGrant[]

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

// In a module of its own, where the principals are known from the start, so that they can be in names.
module rights 'hostRights.bicep' = {
  params: {
    suffix: suffix
    storageGrants: storageGrants
    #disable-next-line what-if-short-circuiting // What-If cannot name what is named after a principal that is yet to be made.
    storagePrincipalIds: [for (grant, i) in storageGrants: storingSites[i].identity.principalId]
    telemetryGrants: telemetryGrants
    #disable-next-line what-if-short-circuiting // What-If cannot name what is named after a principal that is yet to be made.
    telemetryPrincipalIds: [for (grant, i) in telemetryGrants: tellingSites[i].identity.principalId]
  }
}
