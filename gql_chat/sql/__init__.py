"""SQL beneath the models: kept statements, bulk writes, database threads. Knows nothing of chat."""
