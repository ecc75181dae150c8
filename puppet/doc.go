// Package puppet decides how a contact at a gatekeeper looks to Matrix users: the name, the phone number and the
// picture of their ghost. Everything that comes from a contact is made safe to display here. Pure functions; bridgev2
// stores the ghost.
package puppet
