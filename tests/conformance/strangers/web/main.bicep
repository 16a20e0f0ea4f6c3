metadata description = 'A project of somebody else: a container app with one identity, and no Service Bus.'

targetScope = 'subscription'

@description('Where everything is.')
param location string = deployment().location

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: 'web'
  location: location
}

module app 'app.bicep' = {
  scope: group
  params: { location: location }
}
