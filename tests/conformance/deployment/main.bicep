metadata description = 'What the conformance tests run against: vaults, a namespace, and one caller with every right.'

@description('Object id of the caller: of the user who is signed in with az.')
param caller string

@description('What kind of principal the caller is.')
param callerType 'User' | 'ServicePrincipal' = 'User'

@description('Object id of a caller without a right; the tests get tokens for it from the local cloud alone.')
param stranger string = ''

@description('Ends every name.')
param suffix string = uniqueString(resourceGroup().id)

@description('Where everything is.')
param location string = resourceGroup().location

var keyVaultAdministrator = '00482a5a-887f-4fb3-b363-3b7fe8e74483'
var serviceBusDataOwner = '090c5cfd-751d-490a-894a-3ce6f1109419'

// Without purge protection, so that the tests can purge what they make.
resource rolesVault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  name: 'roles-${suffix}'
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
  }
}

resource policiesVault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  name: 'policies-${suffix}'
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: false
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    accessPolicies: [
      {
        tenantId: tenant().tenantId
        objectId: caller
        permissions: { keys: ['all', 'rotate', 'getrotationpolicy', 'setrotationpolicy'], secrets: ['all'] }
      }
    ]
  }
}

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' = {
  name: 'conformance-${suffix}'
  location: location
  sku: { name: 'Standard', tier: 'Standard' }
  properties: { disableLocalAuth: true, minimumTlsVersion: '1.2' }
}

type Queue = {
  name: string
  lockDuration: string?
  maxDeliveryCount: int?
  requiresSession: bool?
}

// Each file of tests has queues of its own: files run at the same time in Azure.
var queues Queue[] = [
  { name: 'samples' }
  { name: 'samples-async' }
  { name: 'short-lock', lockDuration: 'PT5S', maxDeliveryCount: 3 }
  { name: 'queues' }
  { name: 'sessions', requiresSession: true }
  { name: 'javascript' }
  { name: 'javascript-sessions', requiresSession: true }
  { name: 'dotnet' }
]

resource namespaceQueues 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' = [
  for queue in queues: {
    parent: namespace
    name: queue.name
    properties: {
      lockDuration: queue.?lockDuration ?? 'PT1M'
      maxDeliveryCount: queue.?maxDeliveryCount ?? 10
      requiresSession: queue.?requiresSession ?? false
    }
  }
]

resource topic 'Microsoft.ServiceBus/namespaces/topics@2026-01-01' = {
  parent: namespace
  name: 'deployed'
  properties: { requiresDuplicateDetection: true, userMetadata: 'of the deployment' }
}

// Without local authentication it gives nobody access.
resource senders 'Microsoft.ServiceBus/namespaces/topics/authorizationRules@2026-01-01' = {
  parent: topic
  name: 'senders'
  properties: { rights: ['Send'] }
}

resource everything 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2026-01-01' = {
  parent: topic
  name: 'everything'
  properties: { clientAffineProperties: {}, isClientAffine: false, lockDuration: 'PT30S' }
}

resource orders 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2026-01-01' = {
  parent: topic
  name: 'orders'
  properties: { maxDeliveryCount: 3 }
}

// It takes the place of the rule that takes everything.
resource large 'Microsoft.ServiceBus/namespaces/topics/subscriptions/rules@2026-01-01' = {
  parent: orders
  name: '$Default'
  properties: {
    filterType: 'SqlFilter'
    sqlFilter: { sqlExpression: 'size > 5' }
    action: { sqlExpression: 'SET large = TRUE' }
  }
}

resource urgent 'Microsoft.ServiceBus/namespaces/topics/subscriptions/rules@2026-01-01' = {
  parent: orders
  name: 'urgent'
  properties: {
    filterType: 'CorrelationFilter'
    correlationFilter: { label: 'order', properties: { urgency: 'high' } }
  }
}

resource administrator 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(rolesVault.id, caller, keyVaultAdministrator)
  scope: rolesVault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultAdministrator)
    principalId: caller
    principalType: callerType
  }
}

resource owner 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(namespace.id, caller, serviceBusDataOwner)
  scope: namespace
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', serviceBusDataOwner)
    principalId: caller
    principalType: callerType
  }
}

@description('Whom the local cloud gives tokens to.')
output operators object = { caller: [caller], ...(empty(stranger) ? {} : { stranger: [stranger] }) }

@description('The vault that asks roles.')
output rolesVault string = rolesVault.name

@description('The vault that asks access policies.')
output policiesVault string = policiesVault.name

@description('The Service Bus namespace.')
output namespace string = namespace.name
