package bridge

import "postern/provider"

// PartnerServer is what hosts files.
func (d *Daemon) PartnerServer() *provider.Provider { return d.provider }
