package connector

import (
	"errors"
	"strconv"

	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/id"
)

// botCommands is what users and admins write to the bot.
type botCommands struct{ *Network }

// AddCommands adds what users and admins write to the bot, and replaces those of bridgev2's commands that do not fit: some expect mautrix'
// own types where we have ours, one would store a user's access token in the clear, and one refuses without a reason.
func (n *Network) AddCommands(processor *commands.Processor) { botCommands{n}.add(processor) }

func (n botCommands) add(processor *commands.Processor) {
	processor.AddHandlers(n.adminCommands()...)
	processor.AddHandlers(trustCommands()...)
	processor.AddHandlers(blockCommands()...)
	processor.AddHandlers(reportCommand())
	processor.AddHandlers(
		n.retryCommand(),
		n.logoutCommand(),
		n.eraseCommand(),
		n.exportCommand(),
		n.eeaCommand(),
		n.settingsCommand(),
		requestsCommand(),
		acceptCommand(),
		declineCommand(),
		undeclineCommand(),
		&commands.FullHandler{
			Func: func(ce *commands.Event) {
				if ce.User.MXID.Homeserver() != n.Domain {
					ce.Reply("%s", TextForeignUser(n.Domain))
					return
				}
				commands.CommandLogin.Func(ce)
			},
			Name: "login",
			Help: commands.HelpMeta{
				Section:     commands.HelpSectionAuth,
				Description: "Enlist with a gatekeeper",
				Args:        "[_gatekeeper_]",
			},
		},
		// Admins could enlist, read requests and leave as somebody else, and the audit log would say that the user did.
		&commands.FullHandler{
			Func:          func(ce *commands.Event) { ce.Reply("%s", textNoSudo) },
			Name:          commands.CommandSudo.Name,
			Aliases:       commands.CommandSudo.Aliases,
			RequiresAdmin: true,
			Help:          commands.HelpMeta{Section: commands.HelpSectionAdmin, Description: "Not offered by this bridge"},
		},
		&commands.FullHandler{
			Func: func(ce *commands.Event) {
				ce.Reply("Access tokens are not taken. If the administrator has set up double puppeting, it works by itself.")
			},
			Name: "login-matrix",
			Help: commands.HelpMeta{Section: commands.HelpSectionAuth, Description: "Not offered by this bridge"},
		},
		&commands.FullHandler{
			Func: func(ce *commands.Event) {
				if ce.User.DoublePuppet(ce.Ctx) == nil {
					ce.Reply("The bridge does not act in your name: double puppeting is not set up.")
				} else {
					ce.Reply("The bridge joins chats in your name and marks them as direct.")
				}
			},
			Name: "ping-matrix",
			Help: commands.HelpMeta{Section: commands.HelpSectionAuth, Description: "Ask whether the bridge acts in your name"},
		},
		&commands.FullHandler{
			Func: func(ce *commands.Event) {
				n.Matrix.Crypto.ResetSession(ce.Ctx, ce.RoomID)
				ce.Reply("The next message into this room is encrypted with a new key.")
			},
			Name:          "discard-megolm-session",
			Aliases:       []string{"discard-session"},
			RequiresAdmin: true,
			Help:          commands.HelpMeta{Section: commands.HelpSectionAdmin, Description: "Use a new key in this room"},
		},
		&commands.FullHandler{
			Func:           n.setPowerLevel,
			Name:           "set-pl",
			Aliases:        []string{"set-power-level"},
			RequiresAdmin:  true,
			RequiresPortal: true,
			Help: commands.HelpMeta{
				Section:     commands.HelpSectionAdmin,
				Description: "Change a power level in the room of a chat",
				Args:        "[_user ID_] <_power level_>",
			},
		},
	)
}

const textNoSudo = "Nobody can use commands in another person's name here, so that the audit log is right about who did what. `help` shows what " +
	"admins can do; to export or erase a user's data there are commands on the bridge's machine."

func (n botCommands) setPowerLevel(ce *commands.Event) {
	user, level, err := parsePowerLevel(ce.User.MXID, ce.Args)
	if err != nil {
		ce.Reply("Usage: `$cmdprefix set-pl [user ID] <level>`")
		return
	}
	if _, err = n.Matrix.Bot.SetPowerLevel(ce.Ctx, ce.RoomID, user, level); err != nil {
		ce.Log.Err(err).Msg("Failed to change a power level")
		ce.Reply("The homeserver refused it.")
	}
}

var errPowerLevel = errors.New("not a power level")

// parsePowerLevel reads an optional user and a level. Matrix' levels are integers that JSON can hold; 100 is an admin.
func parsePowerLevel(self id.UserID, args []string) (id.UserID, int, error) {
	user := self
	if len(args) == 2 {
		user, args = id.UserID(args[0]), args[1:]
		if _, _, err := user.Parse(); err != nil {
			return "", 0, err
		}
	}
	if len(args) != 1 {
		return "", 0, errPowerLevel
	}
	level, err := strconv.Atoi(args[0])
	if err != nil || level < -1000 || level > 1000 {
		return "", 0, errPowerLevel
	}
	return user, level, nil
}
