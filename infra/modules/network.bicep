metadata description = 'The virtual network of a private deployment.'

@description('Ends every name.')
param suffix string

@description('Where the network lives.')
param location string

@description('Tags of everything.')
param tags { *: string }

@description('Address range of the network; the apps get its first half, private endpoints the second.')
param addressPrefix string

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: 'relay-${suffix}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: 'apps'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, parseCidr(addressPrefix).cidr + 1, 0)
          // Flex Consumption puts its instances into a subnet of this kind.
          delegations: [{ name: 'apps', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, parseCidr(addressPrefix).cidr + 1, 1)
          // Nothing in here starts a connection of its own.
          defaultOutboundAccess: false
        }
      }
    ]
  }
}
