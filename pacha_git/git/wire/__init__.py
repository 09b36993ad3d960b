"""Other repositories: fetch, push, bundles, credentials, and Git over HTTP."""
