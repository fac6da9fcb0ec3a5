// The tests' engine outside of jest: with the nodes of a built package, and jest's mocks in the place of jest.
import { ModuleMocker } from 'jest-mock';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

/** What the tests' engine loads of the package. A built file may stand in any folder: its name is what counts. */
const SOURCES = [
	'../../credentials/SeedanceApi.credentials',
	'../../nodes/Seedance/Seedance.node',
	'../../nodes/SeedanceTrigger/SeedanceTrigger.node',
	'../../nodes/shared/n8n/clock',
];

const load = createRequire(__filename);

/** Everything that is loaded after this gets the nodes of a built package, and jest's mocks in the place of jest. */
export function loadNodesFrom(dist: string): void {
	const files = readdirSync(dist, { recursive: true, encoding: 'utf8' });
	const modules = SOURCES.map((source): object => {
		const built = files.find((file) => basename(file) === `${basename(source)}.js`);
		if (!built) throw new Error(`${dist} has no ${basename(source)}.js`);
		const path = join(dist, built);
		const module: object = load(path);
		load.cache[load.resolve(source)] = load.cache[path];
		return module;
	});
	const mocker = new ModuleMocker(globalThis);
	const spyOn = (given: object, name: never) => {
		// What a file imports as a namespace is a view of the module, which cannot be changed.
		const isView = (module: object) => Reflect.get(module, name) === Reflect.get(given, name);
		return mocker.spyOn(modules.find(isView) ?? given, name);
	};
	Object.assign(globalThis, { jest: { spyOn, restoreAllMocks: () => mocker.restoreAllMocks() } });
}
