metadata description = 'The container app, and the vault with the key that it signs with.'

@description('Where everything is.')
param location string

var cryptoUser = '12338af0-0e69-4776-bea7-57ae8d297424'
var owner = '8e3af657-a8ff-443c-a75c-2fe8c4bcb635'
var acrPull = '7f951dda-4ed3-4680-a7ca-43fe172d538d'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'web'
  location: location
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  name: 'webregistry'
  location: location
  sku: { name: 'Basic' }
}

resource environment 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: 'web'
  location: location
  properties: {}
}

resource app 'Microsoft.App/containerApps@2025-01-01' = {
  name: 'web'
  location: location
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    environmentId: environment.id
    template: { containers: [{ name: 'web', image: '${registry.properties.loginServer}/web:1' }] }
  }
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: 'web-vault'
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
  }
}

resource key 'Microsoft.KeyVault/vaults/keys@2024-11-01' = {
  parent: vault
  name: 'sign'
  properties: { kty: 'RSA', keySize: 2048 }
}

resource crypto 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(key.id, identity.id, cryptoUser)
  scope: key
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', cryptoUser)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource pull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, identity.id, acrPull)
  scope: registry
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', acrPull)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource owns 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, identity.id, owner)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', owner)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}
