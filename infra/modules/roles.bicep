metadata description = 'Custom roles that permit one operation each: no built-in role is that narrow.'

import { roleName, SecretOperation } from 'access.bicep'

@description('Operations on keys that somebody is granted.')
param keyOperations string[]

@description('Operations on secrets that somebody is granted.')
param secretOperations SecretOperation[]

@description('Whether somebody is granted to see queues.')
param seesQueues bool

@description('Ends every name: role names are unique in a tenant.')
param suffix string

var keyWords = {
  encrypt: { name: 'encrypt with a key', permits: 'encrypt with a key, not to read it', action: 'encrypt/action' }
  decrypt: { name: 'decrypt with a key', permits: 'decrypt with a key, not to read it', action: 'decrypt/action' }
  rotate: { name: 'rotate a key', permits: 'make a new version of a key', action: 'rotate/action' }
  update: {
    name: 'disable versions of a key'
    permits: 'enable and disable versions of a key'
    action: 'update/action'
  }
  read: {
    name: 'see the versions of a key'
    permits: 'see a key and its versions, not its private half'
    action: 'read'
  }
}
var secretWords = {
  getSecret: { name: 'read a secret', permits: 'get the value of a secret' }
  setSecret: { name: 'set a secret', permits: 'set the value of a secret, not to read it,' }
  readMetadata: { name: 'see when a secret was set', permits: 'see all of a secret but its value' }
}

resource keyRoles 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [
  for operation in keyOperations: {
    name: roleName(resourceGroup().id, 'keys', operation)
    properties: {
      roleName: 'Relay ${keyWords[operation].name} (${suffix})'
      description: 'Permits to ${keyWords[operation].permits}.'
      type: 'CustomRole'
      assignableScopes: [resourceGroup().id]
      permissions: [{ dataActions: ['Microsoft.KeyVault/vaults/keys/${keyWords[operation].action}'] }]
    }
  }
]

// The built-in Key Vault Secrets User may list metadata as well, and the built-in officer do anything.
resource secretRoles 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [
  for operation in secretOperations: {
    name: roleName(resourceGroup().id, 'secrets', operation)
    properties: {
      roleName: 'Relay ${secretWords[operation].name} (${suffix})'
      description: 'Permits to ${secretWords[operation].permits} and nothing else.'
      type: 'CustomRole'
      assignableScopes: [resourceGroup().id]
      permissions: [{ dataActions: ['Microsoft.KeyVault/vaults/secrets/${operation}/action'] }]
    }
  }
]

// Narrower than any built-in role: Data Owner, which the documentation asks for, also sends, receives
// and manages.
resource queueRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (seesQueues) {
  name: roleName(resourceGroup().id, 'queues', 'read')
  properties: {
    roleName: 'Relay see the length of queues (${suffix})'
    description: 'Permits to read the properties and counts of queues, never a message.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [{ actions: ['Microsoft.ServiceBus/namespaces/queues/read'] }]
  }
}
