"""An embedded Azure for one machine: it runs what Bicep deploys."""
