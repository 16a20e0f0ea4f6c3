metadata description = 'One vault with its keys and secrets, and who may use them.'

import { VaultAuthorization, Network, Key, Secret, KeyGrant, SecretGrant, OperatorSecretGrant, roleName } from 'access.bicep'

@description('Name of the vault in access.json.')
param name string

@description('Ends every name.')
param suffix string

@description('Where the vault lives.')
param location string

@description('Tags of everything.')
param tags { *: string }

@description('How the vault decides who may do what.')
param authorization VaultAuthorization

@description('How the vault is reached.')
param network Network

@description('Whether a public network lets in whoever has a right, or only the allowed addresses.')
param networkDefault 'Allow' | 'Deny'

@description('Address ranges that a public network lets in.')
param allowedAddresses string[]

@description('Bits of the RSA keys.')
param keySize 2048 | 3072 | 4096

@description('When first key versions and secrets expire, in seconds since 1970.')
param expiry int

@description('Keys of this vault.')
param keys Key[]

@description('Secrets of this vault.')
param secrets Secret[]

@description('Values of the secrets that each deployment writes.')
@secure()
param secretValues { *: string }

@description('Grants on keys of this vault.')
param keyGrants KeyGrant[]

@description('Grants on secrets of this vault.')
param secretGrants SecretGrant[]

@description('Grants on secrets of this vault to principals outside.')
param operatorGrants OperatorSecretGrant[]

var byRoles = authorization == 'rbac'
var keyNames = map(keys, key => key.name)
var secretNames = map(secrets, secret => secret.name)
var identityNames = union(map(keyGrants, grant => grant.identity), map(secretGrants, grant => grant.identity))
var keyUses = flatten(map(
  keyGrants,
  grant => map(grant.operations, operation => { identity: grant.identity, key: grant.key, operation: operation })
))

// What access policies call an operation with a secret.
var secretPermissions = { getSecret: 'get', setSecret: 'set', readMetadata: 'list' }
var operatorIds = union([], map(operatorGrants, grant => grant.principalId))
// One principal may be operator in several ways; the same right twice would be two of one name.
var operatorUses = union([], operatorGrants)

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for identity in identityNames: {
    name: '${identity}-${suffix}'
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: 'relay-${suffix}'
}

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  name: '${name}-${suffix}'
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: byRoles
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    // What is on the way could never be opened again without the key.
    enablePurgeProtection: true
    publicNetworkAccess: network == 'private' ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: network == 'private' ? 'Deny' : networkDefault
      ipRules: [for range in (network == 'private' ? [] : allowedAddresses): { value: range }]
    }
    // Inline, because a child resource of policies is wiped whenever the vault is deployed again.
    accessPolicies: [
      for (who, i) in (byRoles ? [] : concat(identityNames, operatorIds)): {
        tenantId: tenant().tenantId
        objectId: i < length(identityNames) ? identities[i].properties.principalId : who
        permissions: {
          keys: union([], flatten(map(filter(keyGrants, grant => grant.identity == who), grant => grant.operations)))
          secrets: union(
            contains(map(secretGrants, grant => grant.identity), who) ? ['get'] : [],
            map(filter(operatorUses, use => use.principalId == who), use => secretPermissions[use.operation])
          )
        }
      }
    ]
  }
}

// Who used which key when, and who was refused.
resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  // Named after its vault, so that no two resources of one type have one name.
  name: '${name}-audit'
  properties: {
    workspaceId: workspace.id
    logs: [{ categoryGroup: 'audit', enabled: true }]
  }
}

resource vaultKeys 'Microsoft.KeyVault/vaults/keys@2026-02-01' = [
  for key in keys: {
    parent: vault
    name: key.name
    tags: tags
    properties: {
      kty: 'RSA'
      keySize: keySize
      keyOps: ['encrypt', 'decrypt']
      attributes: { enabled: true, exportable: false, exp: expiry }
      // A version seals for 90 days, and opens what is on the way for much longer than a message lives.
      rotationPolicy: {
        attributes: { expiryTime: 'P2Y' }
        lifetimeActions: [
          { action: { type: 'rotate' }, trigger: { timeAfterCreate: 'P90D' } }
          { action: { type: 'notify' }, trigger: { timeBeforeExpiry: 'P30D' } }
        ]
      }
    }
  }
]

// Made once, because a role needs an object to stand on; afterwards the value is the operator's alone.
@onlyIfNotExists()
resource ownSecrets 'Microsoft.KeyVault/vaults/secrets@2026-02-01' = [
  for secret in filter(secrets, one => !(one.?deployed ?? false)): {
    parent: vault
    name: secret.name
    // Seen without the value: whoever sets a secret need not be able to read it.
    tags: { ...tags, relay: 'unset' }
    properties: {
      contentType: 'application/json'
      value: '{"kind": "unset", "todo": "Set the value of secret ${secret.name} in vault ${name}."}'
      attributes: { enabled: true, exp: expiry }
    }
  }
]

// Written each time, so that it agrees with what else is deployed.
resource deployedSecrets 'Microsoft.KeyVault/vaults/secrets@2026-02-01' = [
  for secret in filter(secrets, one => one.?deployed ?? false): {
    parent: vault
    name: secret.name
    tags: tags
    properties: {
      contentType: 'text/plain'
      value: secretValues[secret.name]
      attributes: { enabled: true, exp: expiry }
    }
  }
]

resource vaultSecrets 'Microsoft.KeyVault/vaults/secrets@2026-02-01' existing = [
  for secret in secrets: {
    parent: vault
    name: secret.name
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
    dependsOn: [ownSecrets, deployedSecrets]
  }
]

resource operatorAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for use in (byRoles ? operatorUses : []): {
    scope: vaultSecrets[indexOf(secretNames, use.secret)]
    name: guid(vaultSecrets[indexOf(secretNames, use.secret)].id, use.principalId, use.operation)
    properties: {
      roleDefinitionId: resourceId(
        'Microsoft.Authorization/roleDefinitions',
        roleName(resourceGroup().id, 'secrets', use.operation)
      )
      // Without a principalType: Azure looks up whether it is a group, a user or a service principal.
      principalId: use.principalId
    }
    dependsOn: [ownSecrets, deployedSecrets]
  }
]
