metadata description = 'The user-assigned identities, each with one purpose.'

@description('Names of the identities in access.json.')
param names string[]

@description('Ends every name, so that several deployments can exist side by side.')
param suffix string

@description('Where the identities live.')
param location string

@description('Tags of everything.')
param tags { *: string }

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = [
  for name in names: {
    name: '${name}-${suffix}'
    location: location
    tags: tags
  }
]
