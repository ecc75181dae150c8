package matrixuser

import (
	"context"
	"fmt"
)

// PublishIdentity gives the user a cross-signing identity, which signs the device. A user has none at first.
// The sync rests meanwhile: the machine notes the identity without a lock, and a sync reads it.
func (u *User) PublishIdentity(ctx context.Context) error {
	u.Pause()
	defer u.Resume()
	machine := u.helper.Machine()
	_, _, err := machine.GenerateAndUploadCrossSigningKeysWithPassword(ctx, u.account.Password, "")
	if err == nil {
		err = machine.SignOwnDevice(ctx, machine.OwnIdentity())
	}
	if err != nil {
		return fmt.Errorf("failed to publish the identity of %s: %w", u.ID(), err)
	}
	return nil
}
