package doctor_test

import (
	"testing"

	"postern/bridge/config"
	"postern/bridge/doctor"
)

func TestAHealthyInstallationHasNothingWrong(t *testing.T) {
	i := install(t)
	i.cfg.FFmpeg = config.Default().FFmpeg
	for _, finding := range i.examine() {
		if finding.Status != doctor.OK && finding.Check != "programs.ffmpeg" {
			t.Errorf("%+v", finding)
		}
	}
}
