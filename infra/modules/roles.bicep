metadata description = 'Custom roles that permit one operation each: no built-in role is that narrow.'

import { roleName } from 'access.bicep'

@description('Operations on keys that somebody is granted.')
param keyOperations string[]

@description('Ends every name: role names are unique in a tenant.')
param suffix string

resource keyRoles 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [
  for operation in keyOperations: {
    name: roleName(resourceGroup().id, 'keys', operation)
    properties: {
      roleName: 'Relay ${operation} with a key (${suffix})'
      description: 'Permits to ${operation} with a key, not to read it.'
      type: 'CustomRole'
      assignableScopes: [resourceGroup().id]
      permissions: [{ dataActions: ['Microsoft.KeyVault/vaults/keys/${operation}/action'] }]
    }
  }
]

// The built-in Key Vault Secrets User may list metadata as well.
resource secretRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: roleName(resourceGroup().id, 'secrets', 'getSecret')
  properties: {
    roleName: 'Relay read a secret (${suffix})'
    description: 'Permits to get the value of a secret and nothing else.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [{ dataActions: ['Microsoft.KeyVault/vaults/secrets/getSecret/action'] }]
  }
}
