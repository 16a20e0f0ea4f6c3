metadata description = 'One vault with its keys and secrets, and who may use them.'

import { VaultAuthorization, VaultObject, KeyGrant, SecretGrant, roleName } from 'access.bicep'

@description('Name of the vault in access.json.')
param name string

@description('Ends every name.')
param suffix string

@description('Where the vault lives.')
param location string

@description('How the vault decides who may do what.')
param authorization VaultAuthorization

@description('Bits of the RSA keys.')
param keySize 2048 | 3072 | 4096

@description('Keys of this vault.')
param keys VaultObject[]

@description('Secrets of this vault.')
param secrets VaultObject[]

@description('Grants on keys of this vault.')
param keyGrants KeyGrant[]

@description('Grants on secrets of this vault.')
param secretGrants SecretGrant[]

var byRoles = authorization == 'rbac'
var keyNames = map(keys, key => key.name)
var secretNames = map(secrets, secret => secret.name)
var identityNames = union(map(keyGrants, grant => grant.identity), map(secretGrants, grant => grant.identity))
var keyUses = flatten(map(
  keyGrants,
  grant => map(grant.operations, operation => { identity: grant.identity, key: grant.key, operation: operation })
))

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for identity in identityNames: {
    name: '${identity}-${suffix}'
  }
]

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  name: '${name}-${suffix}'
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: byRoles
    enableSoftDelete: true
    enablePurgeProtection: true
    // Inline, because a child resource of policies is wiped whenever the vault is deployed again.
    accessPolicies: [
      for (identity, i) in (byRoles ? [] : identityNames): {
        tenantId: tenant().tenantId
        objectId: identities[i].properties.principalId
        permissions: {
          keys: union(
            [],
            flatten(map(filter(keyGrants, grant => grant.identity == identity), grant => grant.operations))
          )
          secrets: contains(map(secretGrants, grant => grant.identity), identity) ? ['get'] : []
        }
      }
    ]
  }
}

resource vaultKeys 'Microsoft.KeyVault/vaults/keys@2026-02-01' = [
  for key in keys: {
    parent: vault
    name: key.name
    properties: {
      kty: 'RSA'
      keySize: keySize
      keyOps: ['encrypt', 'decrypt']
    }
  }
]

// Made once, because a role needs an object to stand on; afterwards the value is the operator's alone.
@onlyIfNotExists()
resource vaultSecrets 'Microsoft.KeyVault/vaults/secrets@2026-02-01' = [
  for secret in secrets: {
    parent: vault
    name: secret.name
    properties: {
      contentType: 'application/json'
      value: '{"kind": "unset", "todo": "Set the value of secret ${secret.name} in vault ${name}."}'
    }
  }
]

resource keyAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for use in (byRoles ? keyUses : []): {
    scope: vaultKeys[indexOf(keyNames, use.key)]
    name: guid(vaultKeys[indexOf(keyNames, use.key)].id, use.identity, use.operation)
    properties: {
      roleDefinitionId: resourceId(
        'Microsoft.Authorization/roleDefinitions',
        roleName(resourceGroup().id, 'keys', use.operation)
      )
      principalId: identities[indexOf(identityNames, use.identity)].properties.principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource secretAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in (byRoles ? secretGrants : []): {
    scope: vaultSecrets[indexOf(secretNames, grant.secret)]
    name: guid(vaultSecrets[indexOf(secretNames, grant.secret)].id, grant.identity, 'getSecret')
    properties: {
      roleDefinitionId: resourceId(
        'Microsoft.Authorization/roleDefinitions',
        roleName(resourceGroup().id, 'secrets', 'getSecret')
      )
      principalId: identities[indexOf(identityNames, grant.identity)].properties.principalId
      principalType: 'ServicePrincipal'
    }
  }
]
