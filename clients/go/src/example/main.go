// Sign in, deploy an app, follow it, back it up and delete it.
package main

import (
	"fmt"
	"log"
	"os"
	"time"

	"platform"
	apps "proximity/apps/v1"
	backups "proximity/backups/v1"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	var ca []byte
	if file := os.Getenv("PROXIMITY_CA"); file != "" {
		var err error
		if ca, err = os.ReadFile(file); err != nil {
			return err
		}
	}
	client, err := platform.Connect(setting("PROXIMITY_URL", "http://127.0.0.1:8000"), ca)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Login(setting("PROXIMITY_USERNAME", "admin"), os.Getenv("PROXIMITY_PASSWORD")); err != nil {
		return err
	}
	id, err := deploy(client, setting("PROXIMITY_HOSTNAME", "go-01"))
	if err != nil {
		return err
	}
	if err := backUp(client, id); err != nil {
		return err
	}
	return remove(client, id)
}

func deploy(client *platform.Platform, hostname string) (string, error) {
	ctx, cancel := client.Context()
	defer cancel()
	app, err := client.Apps.DeployApp(ctx, &apps.DeployAppRequest{CatalogId: "adminer", Hostname: hostname})
	if err != nil {
		return "", err
	}
	var failure error
	err = client.Follow(app.Id, "0", func(event *apps.AppEvent) bool {
		if line := event.GetLog(); line != nil {
			fmt.Println(" ", line.Message)
		}
		now := event.GetStatus()
		if now.GetProgress() > 0 {
			fmt.Printf("%d %% %s\n", now.GetProgress(), now.GetStepDescription())
		}
		if now.GetStatus() == "error" {
			failure = fmt.Errorf("%s failed: %s", app.Id, now.GetMessage())
		}
		return now.GetStatus() != "running" && failure == nil
	})
	if err == nil {
		err = failure
	}
	if err == nil {
		fmt.Println(app.Id, "is running")
	}
	return app.Id, err
}

func backUp(client *platform.Platform, id string) error {
	ctx, cancel := client.Context()
	defer cancel()
	made, err := client.Backups.CreateBackup(ctx, &backups.CreateBackupRequest{AppId: id})
	if err != nil {
		return err
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		found, err := readBackup(client, id, made.Id)
		if err != nil {
			return err
		}
		if !found.IsInProgress {
			fmt.Printf("backup %d is %s\n", found.Id, found.Status)
			return nil
		}
	}
	return fmt.Errorf("backup %d of %s is not done after 2 minutes", made.Id, id)
}

func readBackup(client *platform.Platform, id string, number int32) (*backups.Backup, error) {
	ctx, cancel := client.Context()
	defer cancel()
	return client.Backups.GetBackup(ctx, &backups.GetBackupRequest{AppId: id, BackupId: number})
}

func remove(client *platform.Platform, id string) error {
	ctx, cancel := client.Context()
	defer cancel()
	if _, err := client.Apps.DeleteApp(ctx, &apps.DeleteAppRequest{AppId: id}); err != nil {
		return err
	}
	return client.Follow(id, "", func(event *apps.AppEvent) bool {
		if event.GetRemoved() != nil {
			fmt.Println(id, "is removed")
		}
		return true
	})
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
