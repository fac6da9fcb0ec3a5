/** Reading rows of the list of videos, which people may edit: no value of a table is believed. */
import { rowOf } from '../../nodes/shared/idempotency/listRow';

const ROW = { id: 7, status: 'SUCCESS', createdAt: '2026-02-07T10:30:00Z' };

describe('a row of the list', () => {
	it.each<[string, unknown, unknown]>([
		['createdAt', new Date(5), 5],
		['createdAt', '2026-02-07T10:30:00Z', Date.parse('2026-02-07T10:30:00Z')],
		['createdAt', 'some day', 0],
		['createdAt', null, 0],
		['prompt', null, ''],
		['prompt', undefined, ''],
		['task_id', 42, '42'],
		['credits', null, 0],
		['credits', '28', 28],
		['duration', 'long', 0],
		['item', undefined, 0],
		['charged', 'yes', 'yes'],
		['charged', 'perhaps', 'unknown'],
		['mode', 'manual', 'manual'],
		['mode', 'other', 'production'],
		['handed_on', true, true],
		['handed_on', 'true', false],
	])('has %s %j read as %j', (column, value, read) => {
		expect(rowOf({ ...ROW, [column]: value })).toHaveProperty(column, read);
	});

	it.each([{ id: null }, { id: 'x' }, { status: null }, { status: 'DONE' }, { status: undefined }])(
		'is none with %j',
		(change) => {
			expect(rowOf({ ...ROW, ...change })).toBeUndefined();
		},
	);
});
