metadata description = 'A Flex Consumption app on a plan of its own.'

import { Network, Scale, UpdateStrategy } from 'access.bicep'

@description('Name of the app in access.json.')
param name string

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

@description('Names of the attached identities that the app uses, in access.json.')
param identityNames string[]

@description('Resource ids of the attached identities.')
param identityIds string[]

@description('Resource id of the attached identity that the package is stored under.')
param packageIdentityId string

@description('Names of all identities in access.json.')
param allIdentityNames string[]

@description('Their client ids.')
param allIdentityClientIds string[]

@description('Names of the keys that the app may use.')
param keyNames string[]

@description('Names of all keys.')
param allKeyNames string[]

@description('Their URLs, without a version.')
param allKeyUris string[]

@description('Names of the secrets that the app may read.')
param secretNames string[]

@description('Names of all secrets.')
param allSecretNames string[]

@description('Their URLs, without a version.')
param allSecretUris string[]

@description('Queues that the app may use.')
param queueNames string[]

@description('All queues.')
param allQueueNames string[]

@description('Host name of the Service Bus namespace.')
param busHost string

@description('The identity that the trigger receives under; none without a trigger.')
@maxLength(1)
param triggerIdentities string[]

@description('Optional settings.')
param appSettings { *: string }

func settingName(family string, name string) string => 'RELAY_${family}_${toUpper(replace(name, '-', '_'))}'

// The code of an older version ignores settings that it does not know, until it is replaced: see
// shared/settings/version.py, which the checks hold this to.
var deploymentVersion = '2'

var storageName = '${name}${suffix}'
var blobUri = 'https://${storageName}.blob.${storageSuffix}'

var settings = union(
  // One trace in ten, by its id alone, in host and apps alike. Not as callers ask: they would decide the price.
  { OTEL_TRACES_SAMPLER: 'microsoft.fixed_percentage', OTEL_TRACES_SAMPLER_ARG: '0.1' },
  // Before the others, so that no optional setting replaces one that decides who the app is or what it uses.
  appSettings,
  {
    RELAY_APP: name
    RELAY_DEPLOYMENT_VERSION: deploymentVersion
    // A page that says which software answers here is for nobody.
    AzureWebJobsDisableHomepage: 'true'
    // The host refuses what is larger before it reads it, with 500. Between the limit of payloads and
    // this one, a mebibyte above, the sender says what is too large, with 413.
    FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: string(int(appSettings.?RELAY_MAX_PAYLOAD_BYTES ?? '190000') + 1048576)
    AzureWebJobsStorage__blobServiceUri: blobUri
    AzureWebJobsStorage__credential: 'managedidentity'
    APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'Authorization=AAD'
    // The app exports its log lines itself, so the host leaves them out.
    PYTHON_ENABLE_OPENTELEMETRY: 'true'
  },
  toObject(identityNames, id => settingName('IDENTITY', id), id => allIdentityClientIds[indexOf(allIdentityNames, id)]),
  toObject(keyNames, key => settingName('KEY', key), key => allKeyUris[indexOf(allKeyNames, key)]),
  toObject(secretNames, name => settingName('SECRET', name), name => allSecretUris[indexOf(allSecretNames, name)]),
  toObject(queueNames, queue => settingName('QUEUE', queue), queue => queue),
  // What the proof of access tries under the app's identities: names and addresses, no secrets.
  toObject(
    allIdentityNames,
    id => settingName('ACCESS_IDENTITY', id),
    id => allIdentityClientIds[indexOf(allIdentityNames, id)]
  ),
  toObject(allKeyNames, key => settingName('ACCESS_KEY', key), key => allKeyUris[indexOf(allKeyNames, key)]),
  toObject(
    allSecretNames,
    name => settingName('ACCESS_SECRET', name),
    name => allSecretUris[indexOf(allSecretNames, name)]
  ),
  toObject(allQueueNames, queue => settingName('ACCESS_QUEUE', queue), queue => queue),
  { RELAY_BUS__fullyQualifiedNamespace: busHost },
  empty(triggerIdentities)
    ? {}
    : {
        RELAY_BUS__credential: 'managedidentity'
        RELAY_BUS__clientId: allIdentityClientIds[indexOf(allIdentityNames, triggerIdentities[0])]
      }
)

// Here the connection string only says where: who sends is decided by the app's own identity.
resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: 'relay-${suffix}'
}

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: 'relay-${suffix}'

  resource apps 'subnets' existing = {
    name: 'apps'
  }
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: '${name}-${suffix}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: 'relay-${name}-${suffix}'
  location: location
  tags: { ...tags, 'azd-service-name': name }
  kind: 'functionapp,linux'
  identity: {
    type: 'SystemAssigned, UserAssigned'
    userAssignedIdentities: toObject(identityIds, id => id, id => {})
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    ...(network == 'private' ? { virtualNetworkSubnetId: virtualNetwork::apps.id } : {})
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${blobUri}/packages'
          // Not the app's own identity, which could be given the right only once there is an app.
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: packageIdentityId }
        }
      }
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: {
        instanceMemoryMB: scale.?instanceMemoryMB ?? 2048
        maximumInstanceCount: scale.?maximumInstanceCount ?? 40
        alwaysReady: scale.?alwaysReady ?? []
      }
      // A rolling update lets each instance answer its callers first; recreated ones would cut them
      // off. A message that a receiver is delivering is posted again either way, as whenever an instance stops.
      #disable-next-line BCP037 // The types of this API version do not know it, Azure does since 2023-12-01.
      siteUpdateStrategy: { type: updateStrategy }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      remoteDebuggingEnabled: false
      appSettings: map(items(settings), setting => { name: setting.key, value: setting.value })
    }
  }

  // Publishing takes a token of the directory, never the site's own password. This is what keeps FTP
  // shut: Flex Consumption refuses the property ftpsState, and has no FTP to publish by.
  resource ftpPassword 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    #disable-next-line BCP187 // Azure wants it (51008), the types do not know it (Azure/bicep-types-az 1571).
    location: location
    properties: { allow: false }
  }

  resource scmPassword 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    #disable-next-line BCP187 // As above.
    location: location
    properties: { allow: false }
  }
}

@description('Host name of the app.')
output host string = site.properties.defaultHostName
