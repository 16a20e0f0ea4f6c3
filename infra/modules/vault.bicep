metadata description = 'One vault with its keys and those secrets that are made once, and who may use them.'

import { VaultAuthorization, Network, Key, Secret, KeyGrant, SecretGrant, OperatorKeyGrant, OperatorSecretGrant } from 'access.bicep'

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

@description('Grants on keys of this vault.')
param keyGrants KeyGrant[]

@description('Grants on secrets of this vault.')
param secretGrants SecretGrant[]

@description('Grants on secrets of this vault to principals outside.')
param operatorGrants OperatorSecretGrant[]

@description('Grants on keys of this vault to principals outside.')
param operatorKeyGrants OperatorKeyGrant[]

var byRoles = authorization == 'rbac'
var ownSecretNames = map(filter(secrets, secret => !(secret.?deployed ?? false)), secret => secret.name)
var identityNames = union(map(keyGrants, grant => grant.identity), map(secretGrants, grant => grant.identity))

// What access policies call an operation with a secret.
var secretPermissions = { getSecret: 'get', setSecret: 'set', readMetadata: 'list' }
// ... and with a key.
var keyPermissions = { rotate: ['rotate'], update: ['update'], read: ['get', 'list'] }
var operatorIds = union(
  [],
  map(operatorGrants, grant => grant.principalId),
  map(operatorKeyGrants, grant => grant.principalId)
)
// One principal may be several operators; the same right twice would be two resources of one name.
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
    // Queued messages could never be decrypted again without the key.
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
          keys: union(
            [],
            flatten(map(filter(keyGrants, grant => grant.identity == who), grant => grant.operations)),
            flatten(map(filter(operatorKeyGrants, use => use.principalId == who), use => keyPermissions[use.operation]))
          )
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

// Made once: Azure refuses to deploy a key again with any other parameter, such as an expiry that
// follows the clock, or once it has been rotated (KeyCreationParametersDidNotMatchExistingKey,
// Azure/bicep 8283). From then on it is the rotation policy's, and its size and tags stay.
@onlyIfNotExists()
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
      // A version encrypts for 90 days, and decrypts for much longer than a message lives.
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

// Made once, because a role is assigned at an object that exists; afterwards the value is the operator's alone.
@onlyIfNotExists()
resource ownSecrets 'Microsoft.KeyVault/vaults/secrets@2026-02-01' = [
  for secret in ownSecretNames: {
    parent: vault
    name: secret
    // Seen without the value: whoever sets a secret need not be able to read it.
    tags: { ...tags, relay: 'unset' }
    properties: {
      contentType: 'application/json'
      value: '{"kind": "unset", "todo": "Set the value of secret ${secret} in vault ${name}."}'
      attributes: { enabled: true, exp: expiry }
    }
  }
]

module rights 'vaultRights.bicep' = if (byRoles) {
  params: {
    name: name
    suffix: suffix
    keyGrants: keyGrants
    secretGrants: filter(secretGrants, grant => contains(ownSecretNames, grant.secret))
    operatorKeyGrants: operatorKeyGrants
    operatorGrants: filter(operatorGrants, grant => contains(ownSecretNames, grant.secret))
    identityNames: identityNames
    #disable-next-line what-if-short-circuiting // What-If cannot name what is named after a principal that is yet to be made.
    principalIds: [for (identity, i) in identityNames: identities[i].properties.principalId]
  }
  dependsOn: [vaultKeys, ownSecrets]
}
