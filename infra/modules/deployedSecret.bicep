metadata description = 'A secret that each deployment writes, and who may use it.'

import { VaultAuthorization, SecretGrant, OperatorSecretGrant } from 'access.bicep'

@description('Name of the secret.')
param name string

@description('Name of its vault in access.json.')
param vaultName string

@description('Ends every name.')
param suffix string

@description('Tags of everything.')
param tags { *: string }

@description('How the vault decides who may do what.')
param authorization VaultAuthorization

@description('When it expires, in seconds since 1970.')
param expiry int

@description('Values of the secrets that deployments write.')
@secure()
param secretValues { *: string }

@description('Grants on the secret.')
param secretGrants SecretGrant[]

@description('Grants on the secret to principals outside.')
param operatorGrants OperatorSecretGrant[]

var identityNames = union([], map(secretGrants, grant => grant.identity))

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for identity in identityNames: {
    name: '${identity}-${suffix}'
  }
]

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: '${vaultName}-${suffix}'
}

// Written each time, so that it agrees with what else is deployed. Unlike a key, a secret takes that: it
// gets a new version with the new value and expiry, and nobody names a version of it.
resource secret 'Microsoft.KeyVault/vaults/secrets@2026-02-01' = {
  parent: vault
  name: name
  tags: tags
  properties: {
    contentType: 'text/plain'
    value: secretValues[name]
    attributes: { enabled: true, exp: expiry }
  }
}

module rights 'vaultRights.bicep' = if (authorization == 'rbac') {
  params: {
    name: vaultName
    suffix: suffix
    keyGrants: []
    secretGrants: secretGrants
    operatorGrants: operatorGrants
    operatorKeyGrants: []
    identityNames: identityNames
    #disable-next-line what-if-short-circuiting // What-If cannot name what is named after a principal that is yet to be made.
    principalIds: [for (identity, i) in identityNames: identities[i].properties.principalId]
  }
  dependsOn: [secret]
}
