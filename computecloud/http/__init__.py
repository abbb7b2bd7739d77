"""What every HTTP service of the cloud shares: versions, schemas, policy, faults, paging, middleware."""
