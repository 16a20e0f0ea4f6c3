metadata description = 'Who may write and read the packages of one app.'

@description('Name of the app in access.json.')
param name string

@description('Ends every name.')
param suffix string

@description('Principal ids of the identities that may.')
param principalIds string[]

// Built in: Storage Blob Data Contributor, the role that a package's identity is documented to need.
var blobContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: '${name}${suffix}'

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource packages 'containers' existing = {
      name: 'packages'
    }
  }
}

// At the container, not at the account: beside it, the host keeps the keys that callers need.
resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principalId in principalIds: {
    scope: account::blobs::packages
    name: guid(account::blobs::packages.id, principalId, blobContributor)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobContributor)
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]
