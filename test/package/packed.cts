/**
 * The package as it would be published: packed with npm and unpacked again, into a folder of its own.
 *
 * It is the build in dist that is packed, so that has to be there and newer than its sources.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';

export const ROOT = join(__dirname, '..', '..');

export interface PackedPackage {
	/** Where it is unpacked: the folder with package.json. */
	folder: string;
	/** Its files, relative to `folder`, with forward slashes, sorted. */
	files: string[];
	/** The size of the tarball in bytes. */
	bytes: number;
	/** Removes what was written. */
	remove(): void;
}

/** Packs and unpacks. Throws with a sentence when dist is missing, older than the sources, or cannot be packed. */
export function packPackage(): PackedPackage {
	checkBuild();
	const parent = mkdtempSync(join(tmpdir(), 'seedance-package-'));
	runTool('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', parent], ROOT);
	const [tarball] = readdirSync(parent);
	const bytes = statSync(join(parent, tarball)).size;
	runTool('tar', ['-xzf', tarball], parent);
	const folder = join(parent, 'package');
	return {
		folder,
		files: filesIn(folder),
		bytes,
		remove: () => rmSync(parent, { recursive: true, force: true }),
	};
}

/** All files under a folder, relative to it, with forward slashes, sorted. */
export function filesIn(folder: string): string[] {
	return readdirSync(folder, { recursive: true, encoding: 'utf8' })
		.filter((name) => statSync(join(folder, name)).isFile())
		.map((name) => name.split(sep).join('/'))
		.sort();
}

export function readJson(path: string): unknown {
	return JSON.parse(readFileSync(path, 'utf8'));
}

/** Runs a program and gives what it prints on stdout. Throws with its whole output when it fails. */
export function runTool(command: string, args: string[], cwd: string): string {
	// What `npm run` tells about this package is not meant for another folder.
	const env = Object.fromEntries(
		Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle)/i.test(name)),
	);
	const { status, stdout, stderr, error } = spawnSync(command, args, {
		cwd,
		env,
		encoding: 'utf8',
		stdio: ['ignore', 'pipe', 'pipe'],
		maxBuffer: 64 * 1024 ** 2,
	});
	if (error) throw error;
	if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}\n${stderr}`);
	return stdout;
}

function checkBuild() {
	const dist = join(ROOT, 'dist');
	if (!existsSync(dist)) throw new Error('There is no dist: run `npm run build` first.');
	// The compiler's files alone tell when: the icons keep the time of their sources.
	const code = filesIn(dist).filter((name) => name.endsWith('.js'));
	const built = Math.min(...code.map((name) => statSync(join(dist, name)).mtimeMs));
	for (const folder of ['nodes', 'credentials', 'icons']) {
		for (const name of filesIn(join(ROOT, folder))) {
			const path = join(ROOT, folder, name);
			if (statSync(path).mtimeMs > built) {
				throw new Error(`${relative(ROOT, path)} is newer than dist: run \`npm run build\` first.`);
			}
		}
	}
}
