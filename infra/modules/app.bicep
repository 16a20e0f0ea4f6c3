metadata description = 'One function app: its identities, and settings that name what these may use.'

import { App, Key, Secret, KeyGrant, SecretGrant, QueueGrant, Network, Scale, UpdateStrategy } from 'access.bicep'

@description('The app as access.json declares it.')
param app App

@description('Ends every name.')
param suffix string

@description('Where the app lives.')
param location string

@description('Tags of everything.')
param tags { *: string }

@description('How the app reaches the rest.')
param network Network

@description('How far the app scales.')
param scale Scale

@description('How an update replaces its instances.')
param updateStrategy UpdateStrategy

@description('Domain of storage accounts.')
param storageSuffix string

@description('Names of all identities.')
param allIdentities string[]

@description('All keys.')
param allKeys Key[]

@description('All secrets.')
param allSecrets Secret[]

@description('Names of all queues.')
param allQueues string[]

@description('All grants on keys.')
param keyGrants KeyGrant[]

@description('All grants on secrets.')
param secretGrants SecretGrant[]

@description('All grants on queues.')
param queueGrants QueueGrant[]

@description('Optional settings beside those that access.json gives rise to.')
param appSettings { *: string }

var keyNames = union([], map(filter(keyGrants, grant => contains(app.identities, grant.identity)), grant => grant.key))
var secretNames = union(
  [],
  map(filter(secretGrants, grant => contains(app.identities, grant.identity)), grant => grant.secret)
)
var queues = union(
  [],
  map(filter(queueGrants, grant => contains(app.identities, grant.identity)), grant => grant.queue)
)
var allKeyNames = map(allKeys, key => key.name)
var allSecretNames = map(allSecrets, secret => secret.name)
var triggerIdentities = app.?trigger == null ? [] : [app.trigger!.identity]

// All there are, not only the app's own: the proof of access tries what the app must not do, too.
resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for identity in allIdentities: {
    name: '${identity}-${suffix}'
  }
]

resource keyVaults 'Microsoft.KeyVault/vaults@2026-02-01' existing = [
  for key in allKeys: {
    name: '${key.vault}-${suffix}'
  }
]

resource vaultKeys 'Microsoft.KeyVault/vaults/keys@2026-02-01' existing = [
  for (key, i) in allKeys: {
    parent: keyVaults[i]
    name: key.name
  }
]

resource secretVaults 'Microsoft.KeyVault/vaults@2026-02-01' existing = [
  for secret in allSecrets: {
    name: '${secret.vault}-${suffix}'
  }
]

resource vaultSecrets 'Microsoft.KeyVault/vaults/secrets@2026-02-01' existing = [
  for (secret, i) in allSecrets: {
    parent: secretVaults[i]
    name: secret.name
  }
]

module site 'site.bicep' = {
  params: {
    name: app.name
    suffix: suffix
    location: location
    tags: tags
    network: network
    scale: scale
    updateStrategy: updateStrategy
    storageSuffix: storageSuffix
    // The app has no use for the one of its package, only the platform has.
    identityNames: filter(app.identities, identity => identity != app.package)
    identityIds: [for identity in app.identities: identities[indexOf(allIdentities, identity)].id]
    packageIdentityId: identities[indexOf(allIdentities, app.package)].id
    allIdentityNames: allIdentities
    allIdentityClientIds: [for (identity, i) in allIdentities: identities[i].properties.clientId]
    keyNames: keyNames
    allKeyNames: allKeyNames
    allKeyUris: [for (key, i) in allKeys: vaultKeys[i].properties.keyUri]
    secretNames: secretNames
    allSecretNames: allSecretNames
    allSecretUris: [for (secret, i) in allSecrets: vaultSecrets[i].properties.secretUri]
    queueNames: queues
    allQueueNames: allQueues
    busHost: 'relay-${suffix}.servicebus.windows.net'
    triggerIdentities: triggerIdentities
    appSettings: appSettings
  }
}

@description('Host name of the app.')
output host string = site.outputs.host
