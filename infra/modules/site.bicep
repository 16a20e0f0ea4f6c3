metadata description = 'A Flex Consumption app on a plan and a storage account of its own.'

@description('Name of the app in access.json.')
param name string

@description('Ends every name.')
param suffix string

@description('Where the app lives.')
param location string

@description('Domain of storage accounts.')
param storageSuffix string

@description('Names of the attached identities in access.json.')
param identityNames string[]

@description('Resource ids of the attached identities.')
param identityIds string[]

@description('Client ids of the attached identities.')
param identityClientIds string[]

@description('Names of the keys that the app may use.')
param keyNames string[]

@description('Their URLs, without a version.')
param keyUris string[]

@description('Names of the secrets that the app may read.')
param secretNames string[]

@description('Their URLs, without a version.')
param secretUris string[]

@description('Queues that the app may use.')
param queueNames string[]

@description('Host name of the Service Bus namespace.')
param busHost string

@description('Client id of the identity that the trigger receives under; none without a trigger.')
@maxLength(1)
param triggerClientIds string[]

@description('Optional settings.')
param appSettings { *: string }

func settingName(family string, name string) string => 'RELAY_${family}_${toUpper(replace(name, '-', '_'))}'

var storageName = '${name}${suffix}'
var blobUri = 'https://${storageName}.blob.${storageSuffix}'
var containerName = 'packages'

var settings = union(
  // First, so that no optional setting replaces one that decides who the app is or what it uses.
  appSettings,
  {
    RELAY_APP: name
    AzureWebJobsStorage__blobServiceUri: blobUri
    AzureWebJobsStorage__credential: 'managedidentity'
  },
  toObject(range(0, length(identityNames)), i => settingName('IDENTITY', identityNames[i]), i => identityClientIds[i]),
  toObject(range(0, length(keyNames)), i => settingName('KEY', keyNames[i]), i => keyUris[i]),
  toObject(range(0, length(secretNames)), i => settingName('SECRET', secretNames[i]), i => secretUris[i]),
  toObject(queueNames, queue => settingName('QUEUE', queue), queue => queue),
  empty(queueNames) ? {} : { RELAY_BUS__fullyQualifiedNamespace: busHost },
  empty(triggerClientIds) ? {} : { RELAY_BUS__credential: 'managedidentity', RELAY_BUS__clientId: triggerClientIds[0] }
)

// Not shared between apps: who can write an app's package can be the app.
resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: storageName
  location: location
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource packages 'containers' = {
      name: containerName
      properties: { publicAccess: 'None' }
    }
  }
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: '${name}-${suffix}'
  location: location
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: 'relay-${name}-${suffix}'
  location: location
  kind: 'functionapp,linux'
  identity: {
    type: 'SystemAssigned, UserAssigned'
    userAssignedIdentities: toObject(identityIds, id => id, id => {})
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${blobUri}/${containerName}'
          authentication: { type: 'SystemAssignedIdentity' }
        }
      }
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: { instanceMemoryMB: 2048, maximumInstanceCount: 40 }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      appSettings: map(items(settings), setting => { name: setting.key, value: setting.value })
    }
  }
  dependsOn: [storage::blobs::packages]
}
