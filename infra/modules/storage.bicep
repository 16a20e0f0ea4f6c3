metadata description = 'The storage account of one app: the package it runs, and what its host keeps.'

import { Network } from 'access.bicep'

@description('Name of the app in access.json.')
param name string

@description('Ends every name.')
param suffix string

@description('Where the account lives.')
param location string

@description('Tags of everything.')
param tags { *: string }

@description('How the account is reached.')
param network Network

// Not shared between apps: who can write an app's package can be the app.
resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: '${name}${suffix}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: network == 'private' ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'None'
      // An app outside of a virtual network comes from addresses that are not its own.
      defaultAction: network == 'private' ? 'Deny' : 'Allow'
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource packages 'containers' = {
      name: 'packages'
      properties: { publicAccess: 'None' }
    }
  }
}
