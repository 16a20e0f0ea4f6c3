targetScope = 'subscription'

metadata description = 'Everything that access.json declares, in a resource group of its own.'

import { VaultAuthorization } from 'modules/access.bicep'

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

@description('Bits of the RSA keys.')
param keySize 2048 | 3072 | 4096 = 3072

@description('Optional settings of the apps, by name of the app.')
param appSettings { *: { *: string } } = {}

@description('Object ids of the groups, users or service principals that are each operator of access.json, by its name.')
param operators { *: string[] } = {}

@description('Domain of storage accounts in this cloud.')
param storageSuffix string = environment().suffixes.storage

var access = loadJsonContent('access.json')
var operatorNames = map(access.operators, operator => operator.name)

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: environmentName
  location: location
}

module identities 'modules/identities.bicep' = {
  scope: group
  params: {
    names: map(access.identities, identity => identity.name)
    suffix: suffix
    location: location
  }
}

module roles 'modules/roles.bicep' = if (vaultAuthorization == 'rbac') {
  scope: group
  params: {
    keyOperations: union([], flatten(map(access.keyGrants, grant => grant.operations)))
    suffix: suffix
  }
}

module vaults 'modules/vault.bicep' = [
  for vault in access.vaults: {
    scope: group
    params: {
      name: vault.name
      suffix: suffix
      location: location
      authorization: vaultAuthorization
      keySize: keySize
      keys: filter(access.keys, key => key.vault == vault.name)
      secrets: filter(access.secrets, secret => secret.vault == vault.name)
      keyGrants: filter(access.keyGrants, grant => grant.vault == vault.name)
      secretGrants: filter(access.secretGrants, grant => grant.vault == vault.name)
    }
    dependsOn: [identities, roles]
  }
]

module bus 'modules/bus.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    queues: access.queues
    queueGrants: filter(access.queueGrants, grant => !contains(operatorNames, grant.identity))
    operatorGrants: flatten(map(
      filter(access.queueGrants, grant => contains(operatorNames, grant.identity)),
      grant =>
        map(operators[?grant.identity] ?? [], id => { principalId: id, queue: grant.queue, rights: grant.rights })
    ))
  }
  dependsOn: [identities]
}

module apps 'modules/app.bicep' = [
  for app in access.apps: {
    scope: group
    params: {
      app: app
      suffix: suffix
      location: location
      storageSuffix: storageSuffix
      keyGrants: access.keyGrants
      secretGrants: access.secretGrants
      queueGrants: access.queueGrants
      appSettings: appSettings[?app.name] ?? {}
    }
    dependsOn: [identities, vaults, bus]
  }
]

@description('Who the operators are.')
output operators { *: string[] } = operators
