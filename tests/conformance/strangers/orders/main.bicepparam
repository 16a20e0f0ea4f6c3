using 'main.bicep'

param location = 'northeurope'
param developers = '00000000-0000-4000-8000-000000000301'
param sqlPassword = readEnvironmentVariable('SQL_PASSWORD', 'a password for tests')
param paymentKey = readEnvironmentVariable('PAYMENT_KEY', 'a payment key for tests')
