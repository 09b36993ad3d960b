"""What every verb begins with: the registry found and opened, who acts, when, with which keys, and what SPECs mean."""
