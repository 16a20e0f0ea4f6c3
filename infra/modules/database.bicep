metadata description = 'The PostgreSQL server that holds the ledger.'

import { Network, StorageGB } from 'access.bicep'

@description('Ends every name.')
param suffix string

@description('Where the server lives.')
param location string

@description('Tags of everything.')
param tags { *: string }

@description('How the server is reached.')
param network Network

@description('Address ranges that a public network lets in beside Azure itself.')
param allowedAddresses string[]

@description('Compute of the server.')
param sku { name: string, tier: 'Burstable' | 'GeneralPurpose' | 'MemoryOptimized' }

@description('Size of the disk in GB.')
param storageGB StorageGB

@description('Name of the administrator.')
param administrator string

@description('Password of the administrator.')
@secure()
param password string

// The documented way to let in whatever runs in Azure: an app outside of a virtual network comes
// from addresses that are not its own. The password still decides.
var azureItself = { name: 'azure', first: '0.0.0.0', last: '0.0.0.0' }
var allowed = map(allowedAddresses, (range, i) => {
  name: 'allowed-${i}'
  first: parseCidr(range).network
  last: parseCidr(range).broadcast
})

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' = {
  name: 'relay-${suffix}'
  location: location
  tags: tags
  sku: sku
  properties: {
    version: '17'
    administratorLogin: administrator
    administratorLoginPassword: password
    authConfig: { activeDirectoryAuth: 'Disabled', passwordAuth: 'Enabled' }
    // Not by itself: once the disk had grown, a deployment with the size of today would fail, because
    // no disk shrinks (UpsertServerManagementOperationDowngradeDiskSizeUnsupported). An alert shows when
    // it is time for a larger one.
    storage: { storageSizeGB: storageGB, autoGrow: 'Disabled' }
    backup: { backupRetentionDays: 7, geoRedundantBackup: 'Disabled' }
    highAvailability: { mode: 'Disabled' }
    network: { publicNetworkAccess: network == 'private' ? 'Disabled' : 'Enabled' }
  }

  resource ledger 'databases' = {
    name: 'relay'
    properties: { charset: 'UTF8', collation: 'en_US.utf8' }
  }
}

// One after the other: the server takes one change at a time.
@batchSize(1)
resource encryption 'Microsoft.DBforPostgreSQL/flexibleServers/configurations@2025-08-01' = [
  for setting in [
    { name: 'require_secure_transport', value: 'ON' }
    { name: 'ssl_min_protocol_version', value: 'TLSv1.2' }
  ]: {
    parent: server
    name: setting.name
    properties: { value: setting.value, source: 'user-override' }
    dependsOn: [server::ledger]
  }
]

@batchSize(1)
resource firewall 'Microsoft.DBforPostgreSQL/flexibleServers/firewallRules@2025-08-01' = [
  for rule in (network == 'private' ? [] : concat([azureItself], allowed)): {
    parent: server
    name: rule.name
    properties: { startIpAddress: rule.first, endIpAddress: rule.last }
    dependsOn: [encryption]
  }
]
