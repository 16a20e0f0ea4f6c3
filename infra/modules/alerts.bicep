metadata description = 'The alert that the disk of the database is filling.'

@description('Ends every name.')
param suffix string

@description('Tags of everything.')
param tags { *: string }

@description('E-mail addresses that get the alert; without any, alerts only show in the portal.')
param addresses string[]

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' existing = {
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

// The disk does not grow by itself. The server takes nothing more when it is at 95 %, or has less than
// 5 GiB left, which are 84 % of the smallest one: from here there is still time.
resource storage 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'relay-storage-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The disk of the database is more than 70 % full. Deploy again with a larger databaseStorageGB.'
    severity: 1
    enabled: true
    autoMitigate: true
    scopes: [server.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'full'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.DBforPostgreSQL/flexibleServers'
          metricName: 'storage_percent'
          timeAggregation: 'Maximum'
          operator: 'GreaterThan'
          threshold: 70
        }
      ]
    }
    actions: empty(addresses) ? [] : [{ actionGroupId: people.id }]
  }
}
