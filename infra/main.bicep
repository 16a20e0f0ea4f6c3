targetScope = 'subscription'

metadata description = 'Everything that access.json declares, in a resource group of its own.'

import { BusTier, Network, QueueSizeMB, Scale, StorageGB, UpdateStrategy, VaultAuthorization } from 'modules/access.bicep'
import { partnerSettings } from 'modules/partner.bicep'

@description('Name of the resource group.')
@minLength(1)
@maxLength(90)
param environmentName string

@description('Where everything lives.')
param location string

@description('Ends every name, so that names are unique in the world.')
@minLength(3)
@maxLength(13)
param suffix string = uniqueString(subscription().id, environmentName, location)

@description('How vaults decide: by roles at each object, or by policies of the whole vault.')
param vaultAuthorization VaultAuthorization = 'rbac'

@description('How vaults, bus, storage and database are reached: private takes busTier Premium, which alone has private endpoints.')
param network Network = 'public'

@description('Tier of the Service Bus namespace.')
param busTier BusTier = 'Standard'

@description('Size in MB of queues that are to have another than their default, by name: reckoned in docs/deploying.md. A queue can be made larger, and smaller where it is emptier.')
param queueSizesMB { *: QueueSizeMB } = {}

@description('Whether vaults in a public network let in whoever has a right, or only the allowed addresses. Apps outside of a virtual network have no address of their own.')
param vaultNetworkDefault 'Allow' | 'Deny' = 'Allow'

@description('Address ranges, such as 203.0.113.4/32, that a public network lets in to the database, and to vaults that let in no others.')
param allowedAddresses string[] = []

@description('Address range of the virtual network of a private network.')
param addressPrefix string = '10.91.0.0/23'

@description('Bits of the RSA keys.')
param keySize 2048 | 3072 | 4096 = 3072

@description('When first key versions and secrets expire, in seconds since 1970.')
param expiry int = dateTimeToEpoch(dateTimeAdd(utcNow(), 'P1Y'))

@description('Name of the administrator of the database.')
@minLength(1)
@maxLength(63)
param databaseAdministrator string = 'relay'

@description('Password of the administrator of the database; it is kept in the vault of the database and nowhere else.')
@secure()
param databasePassword string

@description('Compute of the database.')
param databaseSku { name: string, tier: 'Burstable' | 'GeneralPurpose' | 'MemoryOptimized' } = {
  name: 'Standard_B1ms'
  tier: 'Burstable'
}

@description('Size of the disk of the database in GB; it can be made larger, never smaller.')
param databaseStorageGB StorageGB = 32

@description('E-mail addresses that get the alerts.')
param alertAddresses string[] = []

@description('Rejected messages and receipts that may wait for an operator before there is an alert.')
@minValue(0)
param alertRejected int = 0

@description('Minutes that a message may have waited on its queue before there is an alert.')
@minValue(1)
param alertOldestMinutes int = 60

// Each instance that keeps the ledger has up to five connections, and the smallest database has 35. Azure
// counts instances for each group of functions: those with HTTP are one, any other is one of its own.
// The checks work it out for each deployment.
@description('How far the apps scale, by name of the app.')
param scale { *: Scale } = {
  sender: { maximumInstanceCount: 3 }
  tracker: { maximumInstanceCount: 1 }
}

@description('How an update of an app replaces its instances. Recreate is for a region that has no rolling updates yet.')
param updateStrategy UpdateStrategy = 'RollingUpdate'

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

// Each instance knows only of itself: it gets its part of these, by how far the app scales.
@description('Most posts to the partner at once, of all instances together; 0 for the default of each instance.')
@minValue(0)
@maxValue(100000)
param partnerConcurrency int = 0

@description('Most posts to the partner a second, of all instances together; 0 for no limit.')
@minValue(0)
@maxValue(10000)
param partnerRate int = 0

@description('Optional settings of the apps, by name of the app.')
param appSettings { *: { *: string } } = {}

@description('Object ids of the groups, users or service principals that are each operator of access.json, by its name.')
param operators { *: string[] } = {}

@description('Names of the machines of access.json to deploy.')
param machines string[] = []

@description('SSH public key of the administrator of the machines. Azure wants one, though nothing leads to SSH.')
param machinePublicKey string = ''

@description('Domain of storage accounts in this cloud.')
param storageSuffix string = environment().suffixes.storage

var access = loadJsonContent('access.json')
var operatorNames = map(access.operators, operator => operator.name)
// A name that is not declared fails here.
var chosenMachines = map(union([], machines), name => filter(access.machines, machine => machine.name == name)[0])
// An identity exists for what it is attached to.
var attached = union(
  [],
  flatten(concat(map(access.apps, app => app.identities), map(chosenMachines, machine => machine.identities)))
)
var identityNames = filter(map(access.identities, identity => identity.name), name => contains(attached, name))
var keyGrants = filter(access.keyGrants, grant => contains(attached, grant.identity))
var secretGrants = filter(access.secretGrants, grant => contains(attached, grant.identity))
var appNames = map(access.apps, app => app.name)
var tags = { 'azd-env-name': environmentName }
var tier = network == 'private' && busTier != 'Premium'
  ? fail('network private needs busTier Premium: no other tier of Service Bus has private endpoints')
  : busTier
var unknownQueues = filter(objectKeys(queueSizesMB), name => !contains(map(access.queues, queue => queue.name), name))
// What a day's outage of 10 messages a second takes (python -m checks.queue_sizes).
var sizesMB = empty(unknownQueues)
  ? union({ messages: 5120, retries: 5120, receipts: 2048, rejected: 4096, 'dead-letters': 1024 }, queueSizesMB)
  : fail('queueSizesMB has a queue that is not declared: ${join(unknownQueues, ', ')}')
var byRoles = vaultAuthorization == 'rbac'
var operatorSecretGrants = flatten(map(
  access.operatorSecretGrants,
  grant =>
    flatten(map(
      operators[?grant.operator] ?? [],
      id =>
        map(
          grant.operations,
          operation => { principalId: id, vault: grant.vault, secret: grant.secret, operation: operation }
        )
    ))
))
var operatorKeyGrants = flatten(map(
  access.operatorKeyGrants,
  grant =>
    flatten(map(
      operators[?grant.operator] ?? [],
      id =>
        map(
          grant.operations,
          operation => { principalId: id, vault: grant.vault, key: grant.key, operation: operation }
        )
    ))
))
var databaseHost = 'relay-${suffix}.postgres.database.azure.com'
var databaseUser = '${databaseAdministrator}:${uriComponent(databasePassword)}'

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: environmentName
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  scope: group
  params: {
    names: identityNames
    suffix: suffix
    location: location
    tags: tags
  }
}

// First of all, because a role takes a while to be known wherever it is assigned.
module roles 'modules/roles.bicep' = {
  scope: group
  params: {
    keyOperations: byRoles
      ? union(
          [],
          flatten(map(access.keyGrants, grant => grant.operations)),
          flatten(map(access.operatorKeyGrants, grant => grant.operations))
        )
      : []
    secretOperations: byRoles
      ? union(['getSecret'], flatten(map(access.operatorSecretGrants, grant => grant.operations)))
      : []
    seesQueues: !empty(access.scaleGrants)
    suffix: suffix
  }
}

module telemetry 'modules/telemetry.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    retentionDays: logRetentionDays
  }
}

module vaults 'modules/vault.bicep' = [
  for vault in access.vaults: {
    scope: group
    params: {
      name: vault.name
      suffix: suffix
      location: location
      tags: tags
      authorization: vaultAuthorization
      network: network
      networkDefault: vaultNetworkDefault
      allowedAddresses: allowedAddresses
      keySize: keySize
      expiry: expiry
      keys: filter(access.keys, key => key.vault == vault.name)
      secrets: filter(access.secrets, secret => secret.vault == vault.name)
      keyGrants: filter(keyGrants, grant => grant.vault == vault.name)
      secretGrants: filter(secretGrants, grant => grant.vault == vault.name)
      operatorGrants: filter(operatorSecretGrants, grant => grant.vault == vault.name)
      operatorKeyGrants: filter(operatorKeyGrants, grant => grant.vault == vault.name)
    }
    dependsOn: [identities, roles, telemetry]
  }
]

module bus 'modules/bus.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    tier: tier
    network: network
    queues: access.queues
    queueSizesMB: sizesMB
    queueGrants: filter(access.queueGrants, grant => !contains(operatorNames, grant.identity))
    operatorGrants: flatten(map(
      filter(access.queueGrants, grant => contains(operatorNames, grant.identity)),
      grant =>
        map(operators[?grant.identity] ?? [], id => { principalId: id, queue: grant.queue, rights: grant.rights })
    ))
    scaleGrants: access.scaleGrants
  }
  dependsOn: [identities, roles]
}

module storages 'modules/storage.bicep' = [
  for app in access.apps: {
    scope: group
    params: {
      name: app.name
      suffix: suffix
      location: location
      tags: tags
      network: network
      packageGrants: filter(access.packageGrants, grant => grant.storage == app.name)
    }
    dependsOn: [identities]
  }
]

module virtualNetwork 'modules/network.bicep' = if (network == 'private') {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    addressPrefix: addressPrefix
  }
}

module database 'modules/database.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    network: network
    allowedAddresses: allowedAddresses
    sku: databaseSku
    storageGB: databaseStorageGB
    administrator: databaseAdministrator
    password: databasePassword
  }
  // Nothing that may fail is deployed between the server's new password and the secret that has it.
  dependsOn: [vaults, bus, storages, virtualNetwork]
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    suffix: suffix
    tags: tags
    addresses: alertAddresses
    rejected: alertRejected
    oldestMinutes: alertOldestMinutes
  }
  dependsOn: [database, bus, telemetry]
}

module deployedSecrets 'modules/deployedSecret.bicep' = [
  for secret in filter(access.secrets, one => one.?deployed ?? false): {
    scope: group
    params: {
      name: secret.name
      vaultName: secret.vault
      suffix: suffix
      tags: tags
      authorization: vaultAuthorization
      expiry: expiry
      // The one place that the database's URL is ever in; the certificate of the server is checked.
      secretValues: {
        'database-connection': 'postgresql+asyncpg://${databaseUser}@${databaseHost}:5432/relay?ssl=verify-full'
      }
      secretGrants: filter(secretGrants, grant => grant.secret == secret.name)
      operatorGrants: filter(operatorSecretGrants, grant => grant.secret == secret.name)
    }
    // The vault has the new password only once the server takes it.
    dependsOn: [vaults, database]
  }
]

module endpoints 'modules/endpoints.bicep' = if (network == 'private') {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    targets: concat(
      map(access.vaults, vault => {
        name: 'vault-${vault.name}'
        type: 'Microsoft.KeyVault/vaults'
        resource: '${vault.name}-${suffix}'
        part: 'vault'
        zone: 'privatelink.vaultcore.azure.net'
      }),
      map(access.apps, app => {
        name: 'storage-${app.name}'
        type: 'Microsoft.Storage/storageAccounts'
        resource: '${app.name}${suffix}'
        part: 'blob'
        zone: 'privatelink.blob.${storageSuffix}'
      }),
      [
        {
          name: 'bus'
          type: 'Microsoft.ServiceBus/namespaces'
          resource: 'relay-${suffix}'
          part: 'namespace'
          zone: 'privatelink.servicebus.windows.net'
        }
        {
          name: 'database'
          type: 'Microsoft.DBforPostgreSQL/flexibleServers'
          resource: 'relay-${suffix}'
          part: 'postgresqlServer'
          zone: 'privatelink.postgres.database.azure.com'
        }
      ]
    )
  }
  dependsOn: [virtualNetwork, vaults, bus, storages, deployedSecrets]
}

// One after the other: Azure lets one app at a time into a subnet, and refuses the others (409).
@batchSize(1)
module apps 'modules/app.bicep' = [
  for app in access.apps: {
    scope: group
    params: {
      app: app
      suffix: suffix
      location: location
      tags: tags
      network: network
      scale: scale[?app.name] ?? {}
      updateStrategy: updateStrategy
      storageSuffix: storageSuffix
      allIdentities: identityNames
      allKeys: access.keys
      allSecrets: access.secrets
      allQueues: map(access.queues, queue => queue.name)
      keyGrants: access.keyGrants
      secretGrants: access.secretGrants
      queueGrants: access.queueGrants
      appSettings: union(
        app.?status == null ? {} : { RELAY_STATUS_URL: 'https://relay-${app.?status}-${suffix}.azurewebsites.net' },
        // Callers are refused before a queue is full: what is under way may all be on one of the two.
        app.name == 'sender' ? { RELAY_MAX_WAITING_MB: string(min(sizesMB.messages, sizesMB.retries) * 80 / 100) } : {},
        partnerSettings(app, access.queues, scale[?app.name] ?? {}, partnerConcurrency, partnerRate),
        appSettings[?app.name] ?? {}
      )
    }
    dependsOn: [identities, vaults, deployedSecrets, bus, storages, telemetry, endpoints]
  }
]

module virtualMachines 'virtual-machines/main.bicep' = if (!empty(chosenMachines)) {
  scope: group
  params: {
    machines: chosenMachines
    suffix: suffix
    location: location
    tags: tags
    network: network
    publicKey: machinePublicKey
    secretGrants: secretGrants
  }
  dependsOn: [identities, vaults, deployedSecrets, endpoints]
}

module ownRights 'modules/ownRights.bicep' = {
  scope: group
  params: {
    suffix: suffix
    storageGrants: access.storageGrants
    telemetryGrants: access.telemetryGrants
  }
  dependsOn: [apps]
}

@description('What is made once and then left alone, by resource id: a later deployment changes nothing of it.')
output madeOnce string[] = concat(
  map(
    access.keys,
    key =>
      resourceId(
        subscription().subscriptionId,
        group.name,
        'Microsoft.KeyVault/vaults/keys',
        '${key.vault}-${suffix}',
        key.name
      )
  ),
  map(
    filter(access.secrets, secret => !(secret.?deployed ?? false)),
    secret =>
      resourceId(
        subscription().subscriptionId,
        group.name,
        'Microsoft.KeyVault/vaults/secrets',
        '${secret.vault}-${suffix}',
        secret.name
      )
  )
)

@description('Which machines there are.')
output machines string[] = machines

@description('Who the operators are.')
output operators { *: string[] } = operators

@description('Name of the resource group.')
output AZURE_RESOURCE_GROUP string = group.name

// No output has the name of an input: `azd down` takes all outputs out of the environment, and the next
// deployment would be public, or elsewhere, without anybody having said so.
@description('How everything is reached.')
output DEPLOYED_NETWORK string = network

@description('Host name of the Service Bus namespace.')
output RELAY_BUS_NAMESPACE string = 'relay-${suffix}.servicebus.windows.net'

@description('Name of the vault of the payload key.')
output RELAY_VAULT_PAYLOAD string = 'payload-${suffix}'

@description('Name of the vault of the partner secret.')
output RELAY_VAULT_PARTNER string = 'partner-${suffix}'

@description('Name of the vault of the partner state.')
output RELAY_VAULT_STATE string = 'state-${suffix}'

@description('Name of the vault of the database secret.')
output RELAY_VAULT_DATABASE string = 'database-${suffix}'

@description('Address of the sender.')
output SENDER_URL string = 'https://${apps[indexOf(appNames, 'sender')].outputs.host}'

@description('Address of the receiver.')
output RECEIVER_URL string = 'https://${apps[indexOf(appNames, 'receiver')].outputs.host}'

@description('Address of the tracker.')
output TRACKER_URL string = 'https://${apps[indexOf(appNames, 'tracker')].outputs.host}'
