package homeserver

import "strings"

// Additions say what to add to the homeserver's own configuration, so that it loads the registrations at these paths. Of a server that is
// neither Synapse nor Dendrite, or does not tell, what both want is said.
func (i Identity) Additions(registrations []string) string {
	list := func(indent string) string {
		return indent + "- " + strings.Join(registrations, "\n"+indent+"- ") + "\n"
	}
	synapse := "    app_service_config_files:\n" + list("      ") +
		"    experimental_features:\n" +
		"      msc2409_to_device_messages_enabled: true\n" +
		"      msc3202_device_masquerading: true\n" +
		"      msc3202_transaction_extensions: true\n"
	dendrite := "    app_service_api:\n      config_files:\n" + list("        ")
	switch i.Software {
	case Synapse:
		return "Add this to Synapse's configuration (homeserver.yaml) and restart it:\n\n" + synapse
	case Dendrite:
		return "Add this to Dendrite's configuration (dendrite.yaml) and restart it:\n\n" + dendrite
	default:
		return "Add this to the homeserver's configuration and restart it.\n\nSynapse (homeserver.yaml):\n\n" + synapse +
			"\nDendrite (dendrite.yaml):\n\n" + dendrite
	}
}
