metadata description = 'Private endpoints, and the DNS zones by which everybody in the network finds them.'

@description('Ends every name.')
param suffix string

@description('Where the endpoints live.')
param location string

@description('Tags of everything.')
param tags { *: string }

@description('What is reached: a name for the endpoint, type and name of the resource, which part of it, and the DNS zone of that part.')
param targets { name: string, type: string, resource: string, part: string, zone: string }[]

var zoneNames = union([], map(targets, target => target.zone))

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: 'relay-${suffix}'

  resource subnet 'subnets' existing = {
    name: 'endpoints'
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for name in zoneNames: {
    name: name
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (name, i) in zoneNames: {
    parent: zones[i]
    name: 'relay-${suffix}'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: network.id }
    }
  }
]

resource endpoints 'Microsoft.Network/privateEndpoints@2025-05-01' = [
  for target in targets: {
    name: '${target.name}-${suffix}'
    location: location
    tags: tags
    properties: {
      subnet: { id: network::subnet.id }
      privateLinkServiceConnections: [
        {
          name: target.name
          properties: { privateLinkServiceId: resourceId(target.type, target.resource), groupIds: [target.part] }
        }
      ]
    }
  }
]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [
  for (target, i) in targets: {
    parent: endpoints[i]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: target.part
          properties: { privateDnsZoneId: zones[indexOf(zoneNames, target.zone)].id }
        }
      ]
    }
    dependsOn: [links]
  }
]
