metadata description = 'One function app: its identities, and settings that name what these may use.'

import { App, KeyGrant, SecretGrant, QueueGrant } from 'access.bicep'

@description('The app as access.json declares it.')
param app App

@description('Ends every name.')
param suffix string

@description('Where the app lives.')
param location string

@description('Domain of storage accounts.')
param storageSuffix string

@description('All grants on keys.')
param keyGrants KeyGrant[]

@description('All grants on secrets.')
param secretGrants SecretGrant[]

@description('All grants on queues.')
param queueGrants QueueGrant[]

@description('Optional settings beside those that access.json gives rise to.')
param appSettings { *: string }

var keys = union(
  [],
  map(
    filter(keyGrants, grant => contains(app.identities, grant.identity)),
    grant => { name: grant.key, vault: grant.vault }
  )
)
var secrets = union(
  [],
  map(
    filter(secretGrants, grant => contains(app.identities, grant.identity)),
    grant => { name: grant.secret, vault: grant.vault }
  )
)
var queues = union(
  [],
  map(filter(queueGrants, grant => contains(app.identities, grant.identity)), grant => grant.queue)
)
var triggerIdentities = app.?trigger == null ? [] : [app.trigger!.identity]

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for identity in app.identities: {
    name: '${identity}-${suffix}'
  }
]

resource keyVaults 'Microsoft.KeyVault/vaults@2026-02-01' existing = [
  for key in keys: {
    name: '${key.vault}-${suffix}'
  }
]

resource vaultKeys 'Microsoft.KeyVault/vaults/keys@2026-02-01' existing = [
  for (key, i) in keys: {
    parent: keyVaults[i]
    name: key.name
  }
]

resource secretVaults 'Microsoft.KeyVault/vaults@2026-02-01' existing = [
  for secret in secrets: {
    name: '${secret.vault}-${suffix}'
  }
]

resource vaultSecrets 'Microsoft.KeyVault/vaults/secrets@2026-02-01' existing = [
  for (secret, i) in secrets: {
    parent: secretVaults[i]
    name: secret.name
  }
]

module site 'site.bicep' = {
  params: {
    name: app.name
    suffix: suffix
    location: location
    storageSuffix: storageSuffix
    identityNames: app.identities
    identityIds: [for (identity, i) in app.identities: identities[i].id]
    identityClientIds: [for (identity, i) in app.identities: identities[i].properties.clientId]
    keyNames: map(keys, key => key.name)
    keyUris: [for (key, i) in keys: vaultKeys[i].properties.keyUri]
    secretNames: map(secrets, secret => secret.name)
    secretUris: [for (secret, i) in secrets: vaultSecrets[i].properties.secretUri]
    queueNames: queues
    busHost: 'relay-${suffix}.servicebus.windows.net'
    triggerClientIds: [
      for identity in triggerIdentities: identities[indexOf(app.identities, identity)].properties.clientId
    ]
    appSettings: appSettings
  }
}
