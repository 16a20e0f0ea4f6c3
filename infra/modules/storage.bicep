metadata description = 'The storage account of one app: the package it runs, and what its host keeps.'

import { Network, PackageGrant } from 'access.bicep'

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

@description('Grants on the packages of this account.')
param packageGrants PackageGrant[]

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for grant in packageGrants: {
    name: '${grant.identity}-${suffix}'
  }
]

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

// Before there is an app, so that the right has spread by the time that its first package is uploaded.
module rights 'packageRights.bicep' = {
  params: {
    name: name
    suffix: suffix
    #disable-next-line what-if-short-circuiting // What-If cannot name what is named after a principal that is yet to be made.
    principalIds: [for (grant, i) in packageGrants: identities[i].properties.principalId]
  }
  dependsOn: [account::blobs::packages]
}
