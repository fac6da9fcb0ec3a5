// The grid, where faults strike the POST that costs credits; and whether the grid has a row for everything.
import { ERROR_CODES, FAULT_KINDS, ROUTES, routesOf, WRONG_SHAPES } from '../sandbox/server.cjs';
import { describeGrid } from './grid.cjs';
import seeds from './seeds.json';
import { FAULTS } from './faults.cjs';

it('has a row for every kind of fault on each of its routes, every wrong shape and every error code', () => {
	for (const route of ROUTES) {
		const kinds = FAULT_KINDS.filter((kind) => routesOf(kind).includes(route));
		expect(kinds.filter((kind) => !FAULTS[route].some((fault) => fault.kind === kind))).toEqual([]);
	}
	for (const route of ['generate', 'status'] as const) {
		const shapes = FAULTS[route].flatMap((fault) =>
			fault.kind === 'wrong-shape' ? [fault.shape] : [],
		);
		expect(shapes).toEqual(WRONG_SHAPES);
		const codes = FAULTS[route].flatMap((fault) => (fault.kind === 'error' ? [fault.code] : []));
		expect(new Set(codes)).toEqual(new Set(ERROR_CODES));
	}
});

it('fixes every seed that has ever failed', () => {
	expect(seeds.fixed).toEqual(expect.arrayContaining(Object.keys(seeds.failed).map(Number)));
});

describeGrid('grid, generate', ['generate'], false);
