import type { Page } from "playwright-core";
import type { Report } from "../src/api/types";

/** What a report has of a guest that was repaired and booted. */
const guestReport: Partial<Report> = {
  repairs: [
    {
      fixer: "fstab",
      path: "/etc/fstab",
      why: "the disk has another name on virtio",
      diff: "--- a/etc/fstab\n+++ b/etc/fstab\n@@ -1,3 +1,3 @@\n # <file system> <mount point> <type> <options>\n-/dev/sda1 / ext4 errors=remount-ro 0 1\n+UUID=1f2e3d4c-5b6a-4789-90ab-cdef01234567 / ext4 errors=remount-ro 0 1\n /dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n",
    },
    {
      fixer: "initramfs",
      path: "/boot/initrd.img-6.1.0-18-amd64",
      why: "no virtio driver is in it, so that the disk would not be found",
      command: ["/usr/sbin/update-initramfs", "-u", "-k", "6.1.0-18-amd64"],
      proof: "virtio_blk and virtio_pci are in the new file",
      output: "update-initramfs: Generating /boot/initrd.img-6.1.0-18-amd64",
      seconds: 38.1,
    },
  ],
  undo: "web01-undo.tar",
  boot_test: { passed: true, why: "a login prompt was seen", login: "web01 login:", seconds: 21.4, disks: "virtio", firmware: "bios", screenshot: "screen.png" },
};

/** A picture of a text screen. */
export async function screenOf(page: Page, text: string): Promise<Buffer> {
  await page.goto("about:blank"); // the policy of a page of ours would forbid the styles
  await page.setContent(`<body style="background: #000; color: #ccc; font: 16px monospace"><pre>${text}`);
  return page.screenshot({ clip: { x: 0, y: 0, width: 720, height: 400 } });
}

/** Repairing and booting a guest takes minutes and an appliance: from now on every report has what came of one, until the returned function is called. */
export async function showGuest(page: Page): Promise<() => Promise<void>> {
  const screen = await screenOf(page, "Debian GNU/Linux 12 web01 tty1\n\nweb01 login: _");
  await page.route("**/report", async (route) => {
    const report = (await (await route.fetch()).json()) as Report;
    const stages = report.stages?.map((s) => (s.name === "fix" ? { name: "fix", status: "done", seconds: 41.2 } : s));
    await route.fulfill({ json: { ...report, ...guestReport, stages } });
  });
  await page.route("**/files/screen.png", (route) => route.fulfill({ contentType: "image/png", body: screen }));
  return async () => {
    await page.unroute("**/report");
    await page.unroute("**/files/screen.png");
  };
}
