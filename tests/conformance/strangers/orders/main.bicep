metadata description = 'A project of somebody else: a web shop whose function app takes orders from a queue.'

@description('Where everything is.')
param location string = resourceGroup().location

@description('The developers, who may look at everything.')
param developers string

@secure()
@description('Password of the SQL server.')
param sqlPassword string

@secure()
@description('Key of the payment service.')
param paymentKey string

var contributor = 'b24988ac-6180-42a0-ab88-20f7382dd24c'
var reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6'
var busReceiver = '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
var blobContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var signalRServer = '420fcaa2-552c-430f-98ca-3264be4806c7'

resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: 'shoporders'
  location: location
  sku: { name: 'Standard_LRS' }
  kind: 'StorageV2'
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'shop'
  location: location
  sku: { name: 'Y1' }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: 'shop-orders'
  location: location
  kind: 'functionapp'
  identity: { type: 'SystemAssigned' }
  properties: {
    serverFarmId: plan.id
    siteConfig: {
      netFrameworkVersion: 'v8.0'
      appSettings: [
        { name: 'FUNCTIONS_WORKER_RUNTIME', value: 'dotnet-isolated' }
        { name: 'BUS__fullyQualifiedNamespace', value: '${bus.name}.servicebus.windows.net' }
        { name: 'PAYMENT', value: '@Microsoft.KeyVault(SecretUri=${payment.properties.secretUri})' }
        { name: 'SIGNALR', value: signalR.properties.hostName }
      ]
    }
  }
}

resource slot 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'slotConfigNames'
  properties: { appSettingNames: ['PAYMENT'] }
}

resource signalR 'Microsoft.SignalRService/signalR@2024-03-01' = {
  name: 'shop-live'
  location: location
  sku: { name: 'Free_F1', capacity: 1 }
  identity: { type: 'SystemAssigned' }
}

resource sql 'Microsoft.Sql/servers@2023-08-01' = {
  name: 'shop-sql'
  location: location
  properties: { administratorLogin: 'shop', administratorLoginPassword: sqlPassword }
}

resource bus 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: 'shop-bus'
  location: location
  sku: { name: 'Standard', tier: 'Standard' }
}

resource orders 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: bus
  name: 'orders'
  properties: { maxDeliveryCount: 5 }
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: 'shop-vault'
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
  }
}

resource payment 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'payment-key'
  properties: { value: paymentKey }
}

resource currency 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'currency'
  properties: { value: 'EUR' }
}

resource sqlConnection 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'sql-connection'
  properties: {
    value: 'Server=${sql.properties.fullyQualifiedDomainName};Password=${sqlPassword}'
  }
}

resource readsSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, app.id, secretsUser)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
    principalId: app.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource takesOrders 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(orders.id, app.id, busReceiver)
  scope: orders
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', busReceiver)
    principalId: app.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource writesBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, app.id, blobContributor)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobContributor)
    principalId: app.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource talksLive 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(signalR.id, app.id, signalRServer)
  scope: signalR
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', signalRServer)
    principalId: app.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource changes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, signalR.id, contributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', contributor)
    principalId: signalR.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource looks 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, developers, reader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', reader)
    principalId: developers
    principalType: 'Group'
  }
}

resource kept 'Microsoft.Authorization/locks@2020-05-01' = {
  name: 'kept'
  scope: vault
  properties: { level: 'CanNotDelete' }
}
