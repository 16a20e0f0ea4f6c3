metadata description = 'Who may use which key and secret of one vault that decides by roles.'

import { KeyGrant, SecretGrant, OperatorKeyGrant, OperatorSecretGrant, roleName } from 'access.bicep'

@description('Name of the vault in access.json.')
param name string

@description('Ends every name.')
param suffix string

@description('Grants on keys.')
param keyGrants KeyGrant[]

@description('Grants on secrets.')
param secretGrants SecretGrant[]

@description('Grants on secrets to principals outside.')
param operatorGrants OperatorSecretGrant[]

@description('Grants on keys to principals outside.')
param operatorKeyGrants OperatorKeyGrant[]

@description('Names of the identities in access.json.')
param identityNames string[]

@description('Their principal ids.')
param principalIds string[]

var keyUses = flatten(map(
  keyGrants,
  grant => map(grant.operations, operation => { identity: grant.identity, key: grant.key, operation: operation })
))
// One principal may be several operators; the same right twice would be two resources of one name.
var operatorUses = union([], operatorGrants)
var operatorKeyUses = union([], operatorKeyGrants)

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: '${name}-${suffix}'
}

resource keys 'Microsoft.KeyVault/vaults/keys@2026-02-01' existing = [
  for use in keyUses: {
    parent: vault
    name: use.key
  }
]

resource secrets 'Microsoft.KeyVault/vaults/secrets@2026-02-01' existing = [
  for grant in secretGrants: {
    parent: vault
    name: grant.secret
  }
]

resource operatorKeys 'Microsoft.KeyVault/vaults/keys@2026-02-01' existing = [
  for use in operatorKeyUses: {
    parent: vault
    name: use.key
  }
]

resource operatorSecrets 'Microsoft.KeyVault/vaults/secrets@2026-02-01' existing = [
  for use in operatorUses: {
    parent: vault
    name: use.secret
  }
]

// Named after the principal, because Azure never changes the principal of an assignment
// (RoleAssignmentUpdateNotPermitted): an identity made anew gets assignments of its own.
resource keyAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (use, i) in keyUses: {
    scope: keys[i]
    name: guid(
      keys[i].id,
      principalIds[indexOf(identityNames, use.identity)],
      roleName(resourceGroup().id, 'keys', use.operation)
    )
    properties: {
      roleDefinitionId: resourceId(
        'Microsoft.Authorization/roleDefinitions',
        roleName(resourceGroup().id, 'keys', use.operation)
      )
      principalId: principalIds[indexOf(identityNames, use.identity)]
      principalType: 'ServicePrincipal'
    }
  }
]

resource secretAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (grant, i) in secretGrants: {
    scope: secrets[i]
    name: guid(
      secrets[i].id,
      principalIds[indexOf(identityNames, grant.identity)],
      roleName(resourceGroup().id, 'secrets', 'getSecret')
    )
    properties: {
      roleDefinitionId: resourceId(
        'Microsoft.Authorization/roleDefinitions',
        roleName(resourceGroup().id, 'secrets', 'getSecret')
      )
      principalId: principalIds[indexOf(identityNames, grant.identity)]
      principalType: 'ServicePrincipal'
    }
  }
]

resource operatorAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (use, i) in operatorUses: {
    scope: operatorSecrets[i]
    name: guid(operatorSecrets[i].id, use.principalId, roleName(resourceGroup().id, 'secrets', use.operation))
    properties: {
      roleDefinitionId: resourceId(
        'Microsoft.Authorization/roleDefinitions',
        roleName(resourceGroup().id, 'secrets', use.operation)
      )
      // Without a principalType: Azure looks up whether it is a group, a user or a service principal.
      principalId: use.principalId
    }
  }
]

resource operatorKeyAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (use, i) in operatorKeyUses: {
    scope: operatorKeys[i]
    name: guid(operatorKeys[i].id, use.principalId, roleName(resourceGroup().id, 'keys', use.operation))
    properties: {
      roleDefinitionId: resourceId(
        'Microsoft.Authorization/roleDefinitions',
        roleName(resourceGroup().id, 'keys', use.operation)
      )
      // Without a principalType, as above.
      principalId: use.principalId
    }
  }
]
