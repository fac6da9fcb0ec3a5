/** The Task ID of an item, as sheets and expressions hold it. */
import { checkTaskId } from '../../nodes/shared/task/values';

const ID = 'seed15abc123def456pro';

describe('the Task ID of an item', () => {
	it.each([
		[ID, ID],
		[` ${ID}\n`, ID],
		[12345678901, '12345678901'],
		[[ID], ID],
		[`["${ID}"]`, ID],
		['an id, with odd characters / ü', 'an id, with odd characters / ü'],
		['undefined-1', 'undefined-1'],
	])('%j is %s', (given, value) => {
		expect(checkTaskId(given)).toEqual({ ok: true, value });
	});

	it.each([
		[undefined, 'is empty: this item has no such value'],
		[null, 'is empty'],
		['  ', 'is empty'],
		[[], 'is empty'],
		[`${ID}, seed15xyz789`, 'holds 2 IDs'],
		[`${ID};seed15xyz789`, 'holds 2 IDs'],
		[`${ID}\nseed15xyz789\nseed15uvw456`, 'holds 3 IDs'],
		[`${ID} seed15xyz789`, 'holds 2 IDs'],
		[[ID, 'seed15xyz789'], 'holds 2 IDs'],
		[`["${ID}","seed15xyz789"]`, 'holds 2 IDs'],
		['undefined', 'is only the word "undefined"'],
		['null', 'is only the word "null"'],
		['[object Object]', 'gave an object'],
		['{{ $json.task_id }}', 'still holds'],
		[{ task_id: ID }, 'Choose one value of it such as its "task_id"'],
		[new Date(0), 'gave a date'],
		[Number.NaN, 'gave NaN'],
	])('%j is refused: it %s', (given, reason) => {
		const checked = checkTaskId(given);
		expect(checked.ok ? [] : checked.problems).toEqual([expect.stringMatching(/^Task ID [^]+\.$/)]);
		expect(checked.ok ? '' : checked.problems[0]).toContain(reason);
	});
});
