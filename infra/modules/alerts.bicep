metadata description = 'The alerts: what an operator has to know of without asking.'

@description('Ends every name.')
param suffix string

@description('Tags of everything.')
param tags { *: string }

@description('E-mail addresses that get the alerts; without any, alerts only show in the portal.')
param addresses string[]

@description('Rejected messages and receipts that may wait for an operator before there is an alert.')
param rejected int

@description('Minutes that a message may have waited on its queue before there is an alert.')
param oldestMinutes int

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' existing = {
  name: 'relay-${suffix}'
}

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: 'relay-${suffix}'
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: 'relay-${suffix}'
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(addresses)) {
  name: 'relay-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'relay'
    enabled: true
    emailReceivers: [
      for (address, i) in addresses: { name: 'address-${i}', emailAddress: address, useCommonAlertSchema: true }
    ]
  }
}

type Rule = {
  name: string
  description: string
  @description('As Azure has it: 1 is an error, 2 a warning.')
  severity: int
  scope: string
  metricNamespace: string
  metricName: string
  timeAggregation: string
  threshold: int
  @description('Queue that it is about.')
  queue: string?
}

// An execution that rejects a message or tries it again later is a success to the Functions host. So
// none of these is on failed requests: they are on queues and on what the apps count themselves.
var rules Rule[] = [
  // The disk does not grow by itself. The server takes nothing more when it is at 95 %, or has less than
  // 5 GiB left, which are 84 % of the smallest one: from here there is still time.
  {
    name: 'storage'
    description: 'The disk of the database is more than 70 % full. Deploy again with a larger databaseStorageGB.'
    severity: 1
    scope: server.id
    metricNamespace: 'Microsoft.DBforPostgreSQL/flexibleServers'
    metricName: 'storage_percent'
    timeAggregation: 'Maximum'
    threshold: 70
  }
  {
    name: 'rejected'
    description: 'Messages or receipts were rejected and wait for an operator: python -m ops rejected.'
    severity: 2
    scope: namespace.id
    metricNamespace: 'Microsoft.ServiceBus/namespaces'
    metricName: 'ActiveMessages'
    timeAggregation: 'Maximum'
    threshold: rejected
    queue: 'rejected'
  }
  {
    name: 'oldest'
    description: 'Messages wait on their queue for too long. See "What to watch" in docs/operating.md.'
    severity: 2
    scope: component.id
    metricNamespace: 'azure.applicationinsights'
    metricName: 'relay.queue.duration'
    timeAggregation: 'Maximum'
    threshold: oldestMinutes * 60
  }
  {
    name: 'denied'
    description: 'A service refuses an identity that an app works under. Compare the grants: python -m ops prove.'
    severity: 1
    scope: component.id
    metricNamespace: 'azure.applicationinsights'
    metricName: 'relay.denied'
    timeAggregation: 'Total'
    threshold: 0
  }
  {
    name: 'throttled'
    description: 'Key Vault or Service Bus refuses calls as too many. See docs/scaling.md.'
    severity: 2
    scope: component.id
    metricNamespace: 'azure.applicationinsights'
    metricName: 'relay.throttled'
    timeAggregation: 'Total'
    threshold: 0
  }
  {
    name: 'receipts'
    description: 'Service Bus gave up receipts, which are tried again: the ledger is behind. See its database.'
    severity: 2
    scope: component.id
    metricNamespace: 'azure.applicationinsights'
    metricName: 'relay.receipts.dead_lettered'
    timeAggregation: 'Total'
    threshold: 0
  }
]

resource alerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for rule in rules: {
    name: 'relay-${rule.name}-${suffix}'
    location: 'global'
    tags: tags
    properties: {
      description: rule.description
      severity: rule.severity
      enabled: true
      autoMitigate: true
      scopes: [rule.scope]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            name: rule.name
            criterionType: 'StaticThresholdCriterion'
            metricNamespace: rule.metricNamespace
            metricName: rule.metricName
            timeAggregation: rule.timeAggregation
            operator: 'GreaterThan'
            threshold: rule.threshold
            dimensions: rule.?queue == null ? [] : [{ name: 'EntityName', operator: 'Include', values: [rule.queue!] }]
            // What the apps count, Azure knows of only once the first of them has counted.
            skipMetricValidation: rule.metricNamespace == 'azure.applicationinsights'
          }
        ]
      }
      actions: empty(addresses) ? [] : [{ actionGroupId: people.id }]
    }
  }
]
