/**
 * Which GPU this machine has, read from where the system says so: the runtimes do not tell on what they landed, and a
 * software driver trains a hundred times slower than the processor that it runs on.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** True where the system offers a GPU to programs. */
export function hasGpu(): boolean {
  if (process.platform !== 'linux') return true; // Metal and Direct3D 12 are always there
  return ['/dev/nvidia0', '/dev/dri/renderD128', '/dev/dxg'].some((device) => existsSync(device));
}

/** The model of the first GPU, where its driver tells. */
export function gpuName(): string | null {
  const root = '/proc/driver/nvidia/gpus';
  try {
    const [first] = readdirSync(root);
    return /^Model:\s*(.+)$/m.exec(readFileSync(`${root}/${first}/information`, 'utf8'))?.[1] ?? null;
  } catch {
    return null; // no such driver
  }
}

const SOFTWARE = /libvk_swiftshader|libvulkan_lvp/;
const HARDWARE =
  /libGLX_nvidia|libEGL_nvidia|libvulkan_(?:intel|radeon|nouveau|asahi|freedreno|panfrost|dzn)|libamdvlk/;

/** The software driver that this process loaded instead of one for a GPU; to be asked after Vulkan was started. */
export function softwareDriver(): string | null {
  if (process.platform !== 'linux') return null;
  const loaded = readFileSync('/proc/self/maps', 'utf8');
  const software = SOFTWARE.exec(loaded)?.[0] ?? null;
  return software && !(HARDWARE.test(loaded) && hasGpu()) ? software : null;
}
