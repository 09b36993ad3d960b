"""Keys, SSH signatures and who may sign, over bytes; it opens no file, asks no clock and knows nothing of records.

``publickey`` and ``signers`` need only the standard library; ``keypair`` and ``sshsig`` load ``cryptography``.
"""
