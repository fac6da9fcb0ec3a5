/** The repository's files, and the package as it would be published. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';

export const ROOT = join(__dirname, '..', '..');

export interface PackedPackage {
	/** Where it is unpacked: the folder with package.json. */
	folder: string;
	/** Its files, relative to `folder`, with forward slashes, sorted. */
	files: string[];
	bytes: number;
	remove(): void;
}

export interface Manifest {
	name: string;
	scripts: Record<string, string>;
	peerDependencies: Record<string, string>;
	n8n: { strict: boolean; nodes: string[]; credentials: string[] };
	[field: string]: unknown;
}

/** A file of the repository, by its path from the root. */
export const read = (file: string) => readFileSync(resolve(ROOT, file), 'utf8');
export const readJson = (file: string): unknown => JSON.parse(read(file));

export function readManifest(folder = ROOT): Manifest {
	return JSON.parse(read(join(folder, 'package.json')));
}

/** All files under a folder, relative to it, with forward slashes, sorted. */
export function filesIn(folder: string): string[] {
	return readdirSync(resolve(ROOT, folder), { recursive: true, encoding: 'utf8' })
		.filter((name) => statSync(resolve(ROOT, folder, name)).isFile())
		.map((name) => name.split(sep).join('/'))
		.sort();
}

/** The files of several folders, by their path from the root. */
export const filesUnder = (...folders: string[]) =>
	folders.flatMap((folder) => filesIn(folder).map((name) => `${folder}/${name}`));

/** Packs and unpacks dist. Throws with a sentence when it is missing, older than the sources, or cannot be packed. */
export function packPackage(): PackedPackage {
	if (!existsSync(join(ROOT, 'dist'))) throw new Error('There is no dist: run `npm run build`.');
	// Only the compiler's files show when it was built: the icons keep the time of their sources.
	const timeOf = (file: string) => statSync(join(ROOT, file)).mtimeMs;
	const code = filesUnder('dist').filter((name) => name.endsWith('.js'));
	const built = Math.min(...code.map(timeOf));
	const newer = filesUnder('nodes', 'credentials', 'icons').find((file) => timeOf(file) > built);
	if (newer) throw new Error(`${newer} is newer than dist: run \`npm run build\` first.`);
	const parent = mkdtempSync(join(tmpdir(), 'seedance-package-'));
	runTool('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', parent]);
	const [tarball] = readdirSync(parent);
	const bytes = statSync(join(parent, tarball)).size;
	runTool('tar', ['-xzf', tarball], parent);
	const folder = join(parent, 'package');
	const remove = () => rmSync(parent, { recursive: true, force: true });
	return { folder, files: filesIn(folder), bytes, remove };
}

export function run(command: string, args: string[], cwd = ROOT) {
	// The environment of `npm run` is not meant for another folder.
	const own = Object.entries(process.env).filter(
		([name]) => !/^npm_(package|lifecycle)/i.test(name),
	);
	const { status, stdout, stderr, error } = spawnSync(command, args, {
		cwd,
		env: { ...Object.fromEntries(own), FORCE_COLOR: '0' },
		encoding: 'utf8',
		maxBuffer: 64 * 1024 ** 2,
	});
	if (error) throw error;
	return { status, stdout, stderr, output: stdout + stderr };
}

/** Runs a program and gives what it prints on stdout. Throws with its whole output when it fails. */
export function runTool(command: string, args: string[], cwd?: string): string {
	const { status, stdout, output } = run(command, args, cwd);
	if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${output}`);
	return stdout;
}

/** A folder that is there until the tests of the file have ended. */
export function temporaryFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), 'seedance-test-'));
	afterAll(() => rmSync(folder, { recursive: true, force: true }));
	return folder;
}

/** The names under which GitHub links to the headings of a document, without its blocks of code. */
export const anchorsOf = (text: string) =>
	[...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
		heading
			.toLowerCase()
			.replace(/[^\w\s-]/g, '')
			.replace(/\s/g, '-'),
	);
